//! What to do about a failed request. The advice depends on the cause, not on the service, so all services share it.

use crate::http::Reason;

/// After a throttle or a server error.
pub(crate) const TRY_LATER: &str = "Try again later";

/// After a request that got no response. `vpc_endpoint` is the AWS service whose VPC endpoint is a way to the server.
pub(crate) fn no_response(reason: Reason, vpc_endpoint: Option<&str>) -> String {
    let hint = match reason {
        Reason::UnknownAuthority => {
            "Its certificate is from an unknown certificate authority: set SSL_CERT_FILE to a PEM bundle with \
             that authority's certificate"
        }
        Reason::InvalidCertificate => {
            "Its certificate is not valid for this host, or not now: check the host, what inspects TLS on the way, and \
             the clock"
        }
        Reason::UnknownHost => {
            "The host name cannot be resolved: check its spelling, and the DNS of the function's VPC if it is in one"
        }
        Reason::Proxy => {
            "The proxy that HTTPS_PROXY names did not connect: check its address, its user and password, and that it \
             allows this host; NO_PROXY lists the hosts that are reached without it"
        }
        Reason::TimedOut | Reason::Other => return network_path(vpc_endpoint),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_path_or_the_certificate() {
        for (reason, vpc_endpoint, part) in [
            (Reason::TimedOut, Some("sns"), "a VPC endpoint for sns or a NAT gateway"),
            (Reason::Other, None, "it needs a NAT gateway and a security group"),
            (Reason::UnknownAuthority, Some("sns"), "SSL_CERT_FILE"),
            (Reason::InvalidCertificate, Some("sns"), "not valid for this host"),
            (Reason::UnknownHost, Some("sns"), "cannot be resolved"),
            (Reason::Proxy, Some("sns"), "The proxy that HTTPS_PROXY names"),
        ] {
            let hint = no_response(reason, vpc_endpoint);
            assert!(hint.contains(part), "{hint}");
        }
    }
}
