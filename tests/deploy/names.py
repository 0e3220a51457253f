"""The errors that the state machine retries."""

# The errors of the function that are retryable.
RETRYABLE = {
    "SecretUnavailable",
    "TokenRateLimited",
    "ZohoRateLimited",
    "ZohoUnavailable",
    "NotificationFailed",
    "ScheduleNotDeleted",
}
LAMBDA_ERRORS = {
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ResourceConflictException",
    "Lambda.ResourceNotReadyException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
}
