"""The errors that the state machine retries."""

# The contract's errors that may pass by themselves.
TRY_AGAIN = {
    "SecretUnavailable",
    "TokenRateLimited",
    "ZohoRateLimited",
    "ZohoUnavailable",
    "NotificationFailed",
    "ScheduleNotDeleted",
}
LAMBDAS_OWN = {
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
}
