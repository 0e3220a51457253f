//! What to do about a failed request. The advice depends on the cause, not on the service, so all services share it.

use crate::http::NoResponse;

/// After a throttle or a server error.
pub(crate) const TRY_LATER: &str = "Try again later";

/// After a request that got no response. `vpc_endpoint` is the AWS service whose VPC endpoint is a way to the server.
pub(crate) fn no_response(reason: NoResponse, vpc_endpoint: Option<&str>) -> String {
    let hint = match reason {
        NoResponse::UnknownAuthority => {
            "Its certificate is from an unknown certificate authority: set SSL_CERT_FILE to a PEM bundle with \
             that authority's certificate"
        }
        NoResponse::InvalidCertificate => {
            "Its certificate is not valid for this host, or not now: check the host, what inspects TLS on the way, and \
             the clock"
        }
        NoResponse::UnknownHost => {
            let setting = if vpc_endpoint.is_some() { "AWS_REGION and AWS_ENDPOINT_URL" } else { "its spelling" };
            return format!(
                "The host name cannot be resolved: check {setting}, and the DNS of the function's VPC if it is in one"
            );
        }
        NoResponse::Proxy => {
            "The proxy that HTTPS_PROXY or ALL_PROXY names did not connect: check its address, its user and password, \
             and that it allows this host; NO_PROXY lists the hosts that are reached without it"
        }
        NoResponse::TimedOut | NoResponse::Other => return network_path(vpc_endpoint),
    };
    hint.into()
}

fn network_path(vpc_endpoint: Option<&str>) -> String {
    let way_out = match vpc_endpoint {
        Some(service) => format!("a VPC endpoint for {service} or a NAT gateway"),
        None => "a NAT gateway".to_owned(),
    };
    format!(
        "Check the function's outbound network path: in a VPC, it needs {way_out} and a security group that allows \
         HTTPS; otherwise try again later"
    )
}

/// After an access error.
pub(crate) fn permission(permission: &str) -> String {
    format!("Allow the function's role {permission}")
}
