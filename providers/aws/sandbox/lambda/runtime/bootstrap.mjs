// Runs a Node.js handler against the Lambda Runtime API.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, where, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, agent, method, path: '/2018-06-01/runtime' + where }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

function problem(error, type) {
  const known = error instanceof Error;
  return {
    errorType: type || (known ? error.name : typeof error),
    errorMessage: known ? error.message : String(error),
    trace: known && error.stack ? error.stack.split('\n') : [],
  };
}

function fail(where, what) {
  console.error(JSON.stringify(what));
  return call('POST', where, JSON.stringify(what));
}

async function load(name) {
  const dot = name.lastIndexOf('.');
  if (dot < 0) throw Object.assign(new Error(`Bad handler: ${name}`), { kind: 'Runtime.MalformedHandlerName' });
  const base = path.resolve(process.env.LAMBDA_TASK_ROOT, name.slice(0, dot));
  const file = ['.js', '.mjs', '.cjs', ''].map((e) => base + e).find((f) => fs.existsSync(f) && fs.statSync(f).isFile());
  if (!file) throw Object.assign(new Error(`Cannot find module '${name.slice(0, dot)}'`), { kind: 'Runtime.ImportModuleError' });
  const module = await import(pathToFileURL(file).href);
  const found = module[name.slice(dot + 1)] ?? module.default?.[name.slice(dot + 1)];
  if (typeof found !== 'function') throw Object.assign(new Error(`${name} is undefined or not exported`), { kind: 'Runtime.HandlerNotFound' });
  return found;
}

function context(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const env = process.env;
  return {
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: headers['lambda-runtime-client-context'] ? JSON.parse(headers['lambda-runtime-client-context']) : undefined,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

function invoke(handler, event, ctx) {
  return new Promise((resolve, reject) => {
    const callback = (error, value) => (error ? reject(error) : resolve(value));
    const value = handler(event, ctx, callback);
    if (value && typeof value.then === 'function') value.then(resolve, reject);
  });
}

let current = '/init/error';

process.on('uncaughtException', async (error) => {
  await fail(current, problem(error, 'Runtime.' + error.name));
  process.exit(129);
});

let handler;
try {
  handler = await load(process.env._HANDLER);
} catch (error) {
  await fail('/init/error', problem(error, error.kind));
  process.exit(1);
}
for (;;) {
  const next = await call('GET', '/invocation/next');
  if (next.status !== 200) process.exit(0);
  const ctx = context(next.headers);
  current = `/invocation/${ctx.awsRequestId}/error`;
  try {
    const value = await invoke(handler, next.body ? JSON.parse(next.body) : null, ctx);
    await call('POST', `/invocation/${ctx.awsRequestId}/response`, JSON.stringify(value === undefined ? null : value));
  } catch (error) {
    await fail(current, problem(error));
  }
}
