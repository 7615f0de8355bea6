"""Runs a Python handler against the Lambda Runtime API."""
import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback

API = "/2018-06-01/runtime"


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.identity = None
        text = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = json.loads(text) if text else None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))


class Runtime:
    def __init__(self):
        self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(self, method, path, body=None):
        self.connection.request(method, API + path, body)
        response = self.connection.getresponse()
        return response, response.read()

    def fail(self, path, kind, message, trace, request_id=""):
        body = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}
        print("[ERROR] %s: %s" % (kind, message), *trace, sep="\n", flush=True)
        self.call("POST", path, json.dumps(body).encode())


def load(name):
    """The handler, or (error type, message, trace)."""
    module_name, dot, function = name.rpartition(".")
    if not dot:
        return None, ("Runtime.MalformedHandlerName", "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name, [])
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        return None, ("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, error), [])
    except SyntaxError as error:
        return None, ("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module_name, error), [])
    except Exception as error:
        return None, (type(error).__name__, str(error), traceback.format_exc().splitlines())
    handler = getattr(module, function, None)
    if handler is None:
        return None, ("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function, module_name), [])
    return handler, None


def serve(runtime, handler):
    while True:
        response, event = runtime.call("GET", "/invocation/next")
        if response.status != 200:
            return
        context = Context(response.headers)
        where = "/invocation/" + context.aws_request_id
        try:
            result = handler(json.loads(event) if event else None, context)
        except Exception as error:
            runtime.fail(where + "/error", type(error).__name__, str(error), traceback.format_exc().splitlines()[3:], context.aws_request_id)
            continue
        try:
            answer = json.dumps(result, ensure_ascii=False).encode()
        except (TypeError, ValueError) as error:
            runtime.fail(where + "/error", "Runtime.MarshalError", "Unable to marshal response: %s" % error, [], context.aws_request_id)
            continue
        sys.stdout.flush()
        runtime.call("POST", where + "/response", answer)


def main():
    logging.basicConfig(format="[%(levelname)s]\t%(asctime)s\t%(message)s", stream=sys.stdout)
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    sys.dont_write_bytecode = True
    runtime = Runtime()
    handler, problem = load(os.environ["_HANDLER"])
    if problem:
        runtime.fail("/init/error", *problem)
        sys.exit(1)
    serve(runtime, handler)


main()
