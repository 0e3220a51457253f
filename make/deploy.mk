# ---- deployment: needs an account, and the AWS CLI with its credentials ------------------------------

STACK ?= mass-change-owner-status

.PHONY: package
package: $(VENV)/ready .venv/sam/ready ## sam build, with the pinned tools, into .aws-sam
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" CARGO_TARGET_DIR=.aws-sam/target SAM_CLI_TELEMETRY=0 .venv/sam/bin/sam build

.PHONY: watch
watch: ## watch a job: MODULE=Leads JOB_ID=... [STACK=...]
	@$(call needs-job) && $(call run-output,WatchCommand)

.PHONY: watch-schedule
watch-schedule: ## the same by a schedule, without a state machine
	@$(call needs-job) && $(call run-output,WatchScheduleCommand)

.PHONY: watch-many
watch-many: ## watch a list of jobs: JOBS=file.json [STACK=...]
	@test -r "$$JOBS" || { echo "give JOBS=file.json, a list of {\"module\": ..., \"job_id\": ...}" >&2; exit 2; }
	@$(call run-output,WatchManyCommand)

# The recipes see MODULE, JOB_ID and JOBS as environment variables; the first two end up in a command line and in JSON.
needs-job = { echo "$$MODULE" | grep -Eqx '[A-Za-z][A-Za-z0-9_]{0,254}' && echo "$$JOB_ID" | grep -Eqx '[0-9]{1,20}'; } \
  || { echo "give MODULE=<the module's API name> JOB_ID=<the job's digits>" >&2; exit 2; }

# The stack's outputs hold the commands whole: what `make` runs is what its reader can copy and paste.
run-output = command="$$(aws cloudformation describe-stacks --stack-name "$(STACK)" --output text \
  --query "Stacks[0].Outputs[?OutputKey=='$(1)'].OutputValue")" && sh -c "$$command"
