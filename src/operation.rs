//! What is particular to this kind of job: mass change owner.

/// The last part of the path: `/crm/{version}/{module}/actions/{path}`.
pub const PATH: &str = "mass_change_owner";
/// The OAuth scope that the status request needs.
pub const SCOPE: &str = "ZohoCRM.change_owner.READ";
/// The form of that scope for a single module.
pub const MODULE_SCOPE: &str = "ZohoCRM.change_owner.leads.READ";
/// The scope that starts such jobs.
pub const START_SCOPE: &str = "ZohoCRM.change_owner.CREATE";
/// The names of the counts in a response: total, updated, not updated, and failed.
pub const COUNTS: [&str; 4] = ["Total_Count", "Updated_Count", "Not_Updated_Count", "Failed_Count"];
/// What the user of the credentials must be permitted to do.
pub const PERMISSION: &str = "change owners";
/// The filter that shows the records that were not changed.
pub const UNCHANGED: &str = "owner is not the new owner";
/// As subjects name it.
pub const NAME: &str = "owner change";
/// As sentences name it.
pub const LONG_NAME: &str = "change of owner";
