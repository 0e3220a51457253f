"""CloudWatch in miniature: the metrics in log lines, Logs Insights, and alarms, as far as the template uses them."""
