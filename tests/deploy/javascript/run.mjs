// Runs state machines in aws-local-stepfunctions. Standard input is a JSON array of cases, each with a `definition`, an
// `input`, a `context`, and `tasks`: for each Task state the responses in order, of which the last one repeats. A
// response is {"result": ...} or {"error": name, "cause": text}. Standard output is an array of what happened.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const { StateMachine } = createRequire(process.cwd() + '/')('aws-local-stepfunctions');

async function run({ definition, input, context, tasks }) {
  const calls = {};
  const handlers = {};
  for (const [name, responses] of Object.entries(tasks)) {
    calls[name] = [];
    handlers[name] = async (parameters) => {
      const response = responses[Math.min(calls[name].length, responses.length - 1)];
      calls[name].push(parameters);
      if (!response.error) return response.result;
      const error = new Error(response.cause ?? '');
      error.name = response.error;
      throw error;
    };
  }
  const names = Object.keys(definition.States);
  const machine = new StateMachine(definition, { validationOptions: { noValidate: true } });
  const execution = machine.run(input, {
    overrides: {
      taskResourceLocalHandlers: handlers,
      waitTimeOverrides: Object.fromEntries(names.map((name) => [name, 0])),
      retryIntervalOverrides: Object.fromEntries(names.map((name) => [name, 0])),
    },
    context: { ...context, Execution: { ...context.Execution, Input: input } },
  });
  const states = (async () => {
    const entered = [];
    for await (const event of execution.eventLogs) {
      if (event.type === 'StateEntered' && event.index === undefined) entered.push(event.state.name);
    }
    return entered;
  })();
  try {
    const output = await execution.result;
    return { status: 'SUCCEEDED', output, states: await states, calls };
  } catch (error) {
    const { name, message } = error.cause ?? error;
    return { status: 'FAILED', error: name, cause: message, states: await states, calls };
  }
}

const results = [];
for (const one of JSON.parse(readFileSync(0, 'utf8'))) results.push(await run(one));
process.stdout.write(JSON.stringify(results));
