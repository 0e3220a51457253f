//! What to do about a request that got no response. The advice depends on the cause, not on the service.

use crate::http::NoResponse;

/// `vpc_endpoint` is the AWS service whose VPC endpoint is a way to the server.
pub(crate) fn no_response(reason: NoResponse, vpc_endpoint: Option<&str>) -> String {
    match reason {
        NoResponse::Certificate => {
            "Its certificate is not trusted. For an authority of your own, set SSL_CERT_FILE to a \
            PEM bundle with its certificate; otherwise check the host, what inspects TLS on the way, and the clock"
                .into()
        }
        NoResponse::UnknownHost => {
            let setting = if vpc_endpoint.is_some() { "AWS_REGION and AWS_ENDPOINT_URL" } else { "its spelling" };
            format!(
                "The host name cannot be resolved: check {setting}, the proxy if one is set, and the DNS of the \
                 function's VPC if it is in one"
            )
        }
        NoResponse::Proxy => "The proxy that HTTPS_PROXY or ALL_PROXY names did not connect: check its address, its \
            user and password, and that it allows this host; NO_PROXY lists the hosts that are reached without it"
            .into(),
        NoResponse::TimedOut | NoResponse::Unanswered | NoResponse::Oversized(_) | NoResponse::Other => {
            let endpoint = vpc_endpoint.map(|service| format!("a VPC endpoint for {service} or ")).unwrap_or_default();
            format!(
                "Check the function's outbound network path: in a VPC, it needs {endpoint}a NAT gateway and a security \
                 group that allows HTTPS; otherwise try again later"
            )
        }
    }
}
