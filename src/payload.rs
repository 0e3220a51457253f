//! The payload on its way from the runtime to us.

use lambda_runtime::LambdaInvocation;

/// Puts a payload that is no JSON at all into a JSON string, so that it reaches the function and is refused there, under
/// the public name `InvalidInput`. The runtime would answer with a type name of its own.
pub fn always_json(mut invocation: LambdaInvocation) -> LambdaInvocation {
    if serde_json::from_slice::<&serde_json::value::RawValue>(&invocation.body).is_err() {
        let text = String::from_utf8_lossy(&invocation.body);
        invocation.body = serde_json::Value::from(text).to_string().into();
    }
    invocation
}
