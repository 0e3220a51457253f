//! What is particular to this kind of job.

/// One kind of background job in Zoho CRM.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The last part of the path: `/crm/{version}/{module}/actions/{path}`.
    pub path: &'static str,
    /// The OAuth scope that the status request needs.
    pub scope: &'static str,
    /// As subjects name it.
    pub name: &'static str,
    /// As sentences name it.
    pub long_name: &'static str,
}

/// Mass change owner.
pub const OPERATION: Operation = Operation {
    path: "mass_change_owner",
    scope: "ZohoCRM.change_owner.READ",
    name: "owner change",
    long_name: "change of owner",
};
