"""An account as people make it by hand: every kind that Mooring manages, with
what each can have, and things that are AWS's own or another tool's."""

import base64
import io
import json
import time
import zipfile

import boto3

session = boto3.Session(aws_access_key_id="alice", aws_secret_access_key="any", region_name="eu-west-1")
ACCOUNT = "111111111111"


def client(name):
    return session.client(name)


def arn(service, rest):
    return f"arn:aws:{service}:eu-west-1:{ACCOUNT}:{rest}"


def trust(service):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]})


def package(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, text in files.items():
            z.writestr(zipfile.ZipInfo(name.replace("_", ".")), text)
    return out.getvalue()


iam, lambda_, sqs, sns = client("iam"), client("lambda"), client("sqs"), client("sns")
events, scheduler, states = client("events"), client("scheduler"), client("stepfunctions")
apis, tables, buckets = client("apigatewayv2"), client("dynamodb"), client("s3")
logs, cloudwatch = client("logs"), client("cloudwatch")


def role(name, service, statements, **more):
    out = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(service), **more)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": statements}))
    return out


def allow(actions, resources):
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


# Tables and their stream.
tables.create_table(
    TableName="shop-orders", BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("id", "customer")],
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    GlobalSecondaryIndexes=[{"IndexName": "byCustomer", "Projection": {"ProjectionType": "KEYS_ONLY"}, "KeySchema": [
        {"AttributeName": "customer", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}]}],
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    DeletionProtectionEnabled=True, Tags=[{"Key": "team", "Value": "orders"}])
tables.create_table(
    TableName="shop-stock", AttributeDefinitions=[{"AttributeName": "sku", "AttributeType": "S"}],
    KeySchema=[{"AttributeName": "sku", "KeyType": "HASH"}], ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 2})
tables.create_table(
    TableName="terraform-lock", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
    KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}])
for name in ("shop-orders", "shop-stock"):
    tables.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
tables.update_time_to_live(TableName="shop-stock", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
tables.update_continuous_backups(TableName="shop-orders", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
stream = tables.describe_table(TableName="shop-orders")["Table"]["LatestStreamArn"]

# Queues.
dead = arn("sqs", "shop-dead")
sqs.create_queue(QueueName="shop-dead")
orders_url = sqs.create_queue(QueueName="shop-orders", Attributes={
    "VisibilityTimeout": "60", "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": "3"}),
    "Policy": json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn("sqs", "shop-orders"),
        "Condition": {"ArnEquals": {"aws:SourceArn": arn("sns", "shop-news")}}}]})})["QueueUrl"]
sqs.create_queue(QueueName="lonely")
sqs.create_queue(QueueName="jobs.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})

# A layer of two versions, and a function that uses the newer.
lambda_.publish_layer_version(LayerName="shop-money", Content={"ZipFile": package(money_py="old")}, CompatibleRuntimes=["python3.12"])
layer = lambda_.publish_layer_version(
    LayerName="shop-money", Description="Money", Content={"ZipFile": package(money_py="new")}, CompatibleRuntimes=["python3.12", "python3.13"],
    CompatibleArchitectures=["arm64"], LicenseInfo="MIT")["LayerVersionArn"]
lambda_.add_layer_version_permission(LayerName="shop-money", VersionNumber=2, StatementId="partner", Action="lambda:GetLayerVersion", Principal="222222222222")

# Functions.
worker = role("shop-worker", "lambda.amazonaws.com", [
    allow("dynamodb:*", [arn("dynamodb", "table/shop-orders"), arn("dynamodb", "table/shop-orders/*"), stream]),
    allow("sqs:*", [arn("sqs", "shop-orders"), dead]), allow("states:StartExecution", [arn("states", "stateMachine:shop-fulfil")]),
    allow("sns:Publish", arn("sns", "shop-news"))], Description="Of the shop", Tags=[{"Key": "team", "Value": "orders"}])
code = package(app_py="def handle(event, context): return {}\n")


def function(name, **more):
    lambda_.create_function(FunctionName=name, Role=worker, Runtime="python3.12", Handler="app.handle", Code={"ZipFile": code}, Timeout=10, **more)
    lambda_.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


function("shop-worker", Layers=[layer], Environment={"Variables": {
    "ORDERS_TABLE": "shop-orders", "UPLOADS_BUCKET": "shop-uploads", "ORDERS_URL": orders_url, "NEWS": arn("sns", "shop-news"),
    "FULFIL": arn("states", "stateMachine:shop-fulfil"), "API_TOKEN": "tok_Zk3vQ9pXt7Lm2Rw8"}})
lambda_.publish_version(FunctionName="shop-worker")
live = lambda_.create_alias(FunctionName="shop-worker", Name="live", FunctionVersion="1")["AliasArn"]
function("shop-plain")
plain = arn("lambda", "function:shop-plain")
function("aws-controltower-forwarder")


def permit(fn, sid, service, source, qualifier=None, **more):
    if qualifier:
        more["Qualifier"] = qualifier
    lambda_.add_permission(FunctionName=fn, StatementId=sid, Action="lambda:InvokeFunction", Principal=service, SourceArn=source, **more)


lambda_.create_event_source_mapping(FunctionName=live, EventSourceArn=arn("sqs", "shop-orders"), BatchSize=5)
lambda_.create_event_source_mapping(FunctionName=live, EventSourceArn=stream, StartingPosition="LATEST", MaximumRetryAttempts=3,
                                    DestinationConfig={"OnFailure": {"Destination": dead}})

# Log groups: the function's own, one of an API, one of what is gone.
for name, days in (("/aws/lambda/shop-worker", 14), ("/shop/access", 30), ("/aws/lambda/gone", None), ("/aws/states/shop-fulfil", 7)):
    logs.create_log_group(logGroupName=name)
    if days:
        logs.put_retention_policy(logGroupName=name, retentionInDays=days)
logs.put_metric_filter(logGroupName="/aws/lambda/shop-worker", filterName="denied", filterPattern='{ $.outcome = "denied" }', metricTransformations=[
    {"metricNamespace": "Shop", "metricName": "Denied", "metricValue": "1", "defaultValue": 0}])
permit("shop-plain", "logs", "logs.amazonaws.com", arn("logs", "log-group:/shop/access:*"))
logs.put_subscription_filter(logGroupName="/shop/access", filterName="errors", filterPattern="ERROR", destinationArn=plain)

# Topics and what is subscribed.
news = sns.create_topic(Name="shop-news", Attributes={"DisplayName": "News"}, Tags=[{"Key": "team", "Value": "orders"}])["TopicArn"]
permit("shop-worker", "news", "sns.amazonaws.com", news, "live")
sns.subscribe(TopicArn=news, Protocol="lambda", Endpoint=live, Attributes={
    "FilterPolicy": json.dumps({"kind": ["paid"]}), "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead})})
sns.subscribe(TopicArn=news, Protocol="sqs", Endpoint=arn("sqs", "shop-orders"), Attributes={
    "RawMessageDelivery": "true", "FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps({"order": {"total": [{"numeric": [">", 100]}]}})})
sns.subscribe(TopicArn=news, Protocol="email", Endpoint="people@shop.example")
permit("shop-plain", "anything", "sns.amazonaws.com", arn("sns", "shop-*"))
sns.subscribe(TopicArn=news, Protocol="lambda", Endpoint=plain)
alarms = sns.create_topic(Name="shop-alarms")["TopicArn"]
fifo = sns.create_topic(Name="jobs.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"})["TopicArn"]
sns.subscribe(TopicArn=fifo, Protocol="sqs", Endpoint=arn("sqs", "jobs.fifo"))

# Rules, also on a bus of its own and of AWS's own.
events.create_event_bus(Name="shop")
events.put_rule(Name="paid", EventBusName="shop", EventPattern=json.dumps({"source": ["shop"], "detail-type": ["paid"]}), Description="Paid orders")
permit("shop-worker", "paid", "events.amazonaws.com", arn("events", "rule/shop/paid"), "live")
events.put_targets(Rule="paid", EventBusName="shop", Targets=[
    {"Id": "worker", "Arn": live, "InputTransformer": {"InputPathsMap": {"order": "$.detail.id"}, "InputTemplate": '{"paid": <order>}'},
     "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10}},
    {"Id": "queue", "Arn": arn("sqs", "shop-orders"), "DeadLetterConfig": {"Arn": dead}}])
events.put_rule(Name="nightly", ScheduleExpression="cron(0 3 * * ? *)", State="DISABLED", Tags=[{"Key": "team", "Value": "orders"}])
permit("shop-plain", "nightly", "events.amazonaws.com", arn("events", "rule/nightly"))
events.put_targets(Rule="nightly", Targets=[{"Id": "plain", "Arn": plain, "Input": json.dumps({"report": ["daily", 1, {"deep": None}]})}])
events.put_rule(Name="shop-plain-hourly", ScheduleExpression="rate(1 hour)")
permit("shop-plain", "hourly", "events.amazonaws.com", arn("events", "rule/shop-plain-hourly"))
events.put_targets(Rule="shop-plain-hourly", Targets=[{"Id": "hourly", "Arn": plain}])
events.put_rule(Name="leaky", ScheduleExpression="rate(1 day)")
events.put_targets(Rule="leaky", Targets=[{"Id": "q", "Arn": arn("sqs", "lonely"), "Input": json.dumps({"password": "hunter2hunter2"})}])

# Schedules.
caller = role("shop-scheduler", "scheduler.amazonaws.com", [allow("lambda:InvokeFunction", [live, plain]), allow("sqs:SendMessage", dead)])
scheduler.create_schedule(
    Name="report", ScheduleExpression="cron(0 9 ? * MON-FRI *)", ScheduleExpressionTimezone="Europe/Zurich", Description="The report",
    FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}, Target={
        "Arn": live, "RoleArn": caller, "Input": json.dumps({"report": "daily"}), "DeadLetterConfig": {"Arn": dead},
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 86400}})
scheduler.create_schedule(Name="shop-plain-tick", ScheduleExpression="rate(5 minutes)", FlexibleTimeWindow={"Mode": "OFF"}, State="DISABLED",
                          Target={"Arn": plain, "RoleArn": caller})
scheduler.create_schedule(Name="once", ScheduleExpression="at(2035-01-01T00:00:00)", FlexibleTimeWindow={"Mode": "OFF"}, ActionAfterCompletion="DELETE",
                          Target={"Arn": plain, "RoleArn": caller})

# A state machine with versions and an alias, and one as it is.
runner = role("shop-runner", "states.amazonaws.com", [allow("lambda:InvokeFunction", [live, plain]), allow("sqs:SendMessage", arn("sqs", "shop-orders"))])
definition = {"Comment": "Fulfil", "StartAt": "Work", "States": {
    "Work": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": live, "Payload.$": "$"}, "Next": "Tell",
             "Retry": [{"ErrorEquals": ["States.ALL"], "BackoffRate": 1.5}]},
    "Tell": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage",
             "Parameters": {"QueueUrl": orders_url, "MessageBody": "${not.ours}"}, "ResultPath": None, "End": True}}}
machine = states.create_state_machine(
    name="shop-fulfil", definition=json.dumps(definition), roleArn=runner, tracingConfiguration={"enabled": True}, publish=True,
    tags=[{"key": "team", "value": "orders"}], loggingConfiguration={"level": "ERROR", "includeExecutionData": True, "destinations": [
        {"cloudWatchLogsLogGroup": {"logGroupArn": arn("logs", "log-group:/aws/states/shop-fulfil:*")}}]})
states.create_state_machine_alias(name="live", description="what serves", routingConfiguration=[
    {"stateMachineVersionArn": machine["stateMachineVersionArn"], "weight": 100}])
states.create_state_machine(name="shop-quick", type="EXPRESS", roleArn=runner, definition=json.dumps(
    {"StartAt": "Call", "States": {"Call": {"Type": "Task", "Resource": plain, "End": True}}}))

# An HTTP API: two integrations with one function, an authorizer, a stage.
api = apis.create_api(Name="shop", ProtocolType="HTTP", Description="The shop", Tags={"team": "orders"}, CorsConfiguration={
    "AllowOrigins": ["https://shop.example"], "AllowMethods": ["GET", "POST"], "MaxAge": 600})["ApiId"]
people = apis.create_authorizer(ApiId=api, Name="people", AuthorizerType="JWT", IdentitySource=["$request.header.Authorization"], JwtConfiguration={
    "Issuer": "https://id.shop.example", "Audience": ["shop"]})["AuthorizerId"]
uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/%s/invocations"


def integration(target, *routes, **more):
    one = apis.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=target, PayloadFormatVersion="2.0", **more)["IntegrationId"]
    for key, auth in routes:
        apis.create_route(ApiId=api, RouteKey=key, Target="integrations/" + one, **auth)


jwt = {"AuthorizationType": "JWT", "AuthorizerId": people, "AuthorizationScopes": ["orders"]}
integration(live, ("GET /orders", jwt), ("POST /orders", jwt), TimeoutInMillis=10000)
integration(live, ("GET /orders/{id}", {"AuthorizationType": "AWS_IAM"}))
integration(uri % plain, ("$default", {}))
permit("shop-worker", "web", "apigateway.amazonaws.com", arn("execute-api", api + "/*/*"), "live")
permit("shop-plain", "web", "apigateway.amazonaws.com", arn("execute-api", api + "/*/$default"))
apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True, DefaultRouteSettings={"ThrottlingBurstLimit": 100, "ThrottlingRateLimit": 50.0},
                  RouteSettings={"GET /orders": {"ThrottlingBurstLimit": 10, "ThrottlingRateLimit": 5.0, "DetailedMetricsEnabled": True}},
                  AccessLogSettings={"DestinationArn": arn("logs", "log-group:/shop/access"), "Format": "$context.requestId $context.status"},
                  StageVariables={"colour": "blue"})
manual = apis.create_api(Name="manual", ProtocolType="HTTP")["ApiId"]
apis.create_stage(ApiId=manual, StageName="prod")

# Buckets: one with notifications, one in another region, one of a tool.
inner = {"LocationConstraint": "eu-west-1"}
buckets.create_bucket(Bucket="shop-uploads", CreateBucketConfiguration=inner)
buckets.put_bucket_versioning(Bucket="shop-uploads", VersioningConfiguration={"Status": "Enabled"})
buckets.put_public_access_block(Bucket="shop-uploads", PublicAccessBlockConfiguration={
    "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": False})
buckets.put_bucket_tagging(Bucket="shop-uploads", Tagging={"TagSet": [{"Key": "team", "Value": "orders"}]})
permit("shop-worker", "uploads", "s3.amazonaws.com", "arn:aws:s3:::shop-uploads", "live", SourceAccount=ACCOUNT)
permit("shop-plain", "uploads", "s3.amazonaws.com", "arn:aws:s3:::shop-uploads")
buckets.put_bucket_notification_configuration(Bucket="shop-uploads", NotificationConfiguration={
    "EventBridgeConfiguration": {}, "LambdaFunctionConfigurations": [
        {"Id": "tf-s3-lambda-20260101", "LambdaFunctionArn": live, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": [
            {"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".csv"}]}}},
        {"Id": "removed", "LambdaFunctionArn": plain, "Events": ["s3:ObjectRemoved:Delete"]}]})
buckets.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
buckets.create_bucket(Bucket="acme-tfstate", CreateBucketConfiguration=inner)

# Alarms, of one metric and of metric math.
cloudwatch.put_metric_alarm(
    AlarmName="shop-worker errors", AlarmDescription="It fails", Namespace="AWS/Lambda", MetricName="Errors", Statistic="Sum", Period=60,
    Dimensions=[{"Name": "FunctionName", "Value": "shop-worker"}], EvaluationPeriods=5, DatapointsToAlarm=3, Threshold=10.0,
    ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching", AlarmActions=[alarms], Tags=[{"Key": "team", "Value": "orders"}])
cloudwatch.put_metric_alarm(
    AlarmName="shop-rate", EvaluationPeriods=1, Threshold=0.5, ComparisonOperator="GreaterThanOrEqualToThreshold", Metrics=[
        {"Id": "rate", "Expression": "errors / calls", "Label": "Rate", "ReturnData": True},
        {"Id": "errors", "ReturnData": False, "MetricStat": {"Stat": "Sum", "Period": 300, "Metric": {
            "Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": [{"Name": "FunctionName", "Value": "shop-plain"}]}}},
        {"Id": "calls", "ReturnData": False, "MetricStat": {"Stat": "Sum", "Period": 300, "Metric": {
            "Namespace": "AWS/Lambda", "MetricName": "Invocations", "Dimensions": [{"Name": "FunctionName", "Value": "shop-plain"}]}}}])

# What is not the shop's.
iam.create_role(RoleName="AWSServiceRoleForSupport", Path="/aws-service-role/support.amazonaws.com/", AssumeRolePolicyDocument=trust("support.amazonaws.com"))
role("unused", "lambda.amazonaws.com", [])
