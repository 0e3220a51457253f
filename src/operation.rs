//! What is particular to this kind of job.

/// One kind of background job in Zoho CRM.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The last part of the path: `/crm/{version}/{module}/actions/{path}`.
    pub path: &'static str,
    /// The OAuth scope that the status request needs.
    pub scope: &'static str,
    /// The form of that scope for a single module.
    pub module_scope: &'static str,
    /// The scope that starts such jobs.
    pub start_scope: &'static str,
    /// The names of the counts in a response: total, updated, not updated, and failed.
    pub counts: [&'static str; 4],
    /// As subjects name it.
    pub name: &'static str,
    /// As sentences name it.
    pub long_name: &'static str,
}

/// Mass change owner.
pub const OPERATION: Operation = Operation {
    path: "mass_change_owner",
    scope: "ZohoCRM.change_owner.READ",
    module_scope: "ZohoCRM.change_owner.leads.READ",
    start_scope: "ZohoCRM.change_owner.CREATE",
    counts: ["Total_Count", "Updated_Count", "Not_Updated_Count", "Failed_Count"],
    name: "owner change",
    long_name: "change of owner",
};
