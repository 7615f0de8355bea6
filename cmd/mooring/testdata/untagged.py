"""Everything of an account, as far as it is no tag and no clock, as text."""

import json
import re

import boto3

session = boto3.Session(aws_access_key_id="alice", aws_secret_access_key="any", region_name="eu-west-1")
OUT = {}
# What moves by itself, or with tags.
CLOCKS = {"ResponseMetadata", "tags", "Tags", "TagSet", "LastModificationDate", "LastModified", "LastModifiedTimestamp", "ApproximateNumberOfMessages",
          "StateUpdatedTimestamp", "StateTransitionedTimestamp", "StateReason", "StateReasonData", "StateValue", "RevisionId", "lastUpdatedDate",
          "AlarmConfigurationUpdatedTimestamp", "Location", "RoleLastUsed", "LastDecreaseDateTime", "EarliestRestorableDateTime", "LatestRestorableDateTime",
          "EvaluationState", "updateDate", "revisionId"}


def clean(x):
    if isinstance(x, dict):
        out = {k: clean(v) for k, v in x.items() if k not in CLOCKS}
        if out.get("Description") == "":
            del out["Description"]  # there was none but the mark
        return out
    if isinstance(x, list):
        return [clean(v) for v in x]
    if isinstance(x, str):
        return re.sub(r"( ?\[mooring: [^\]]*\]|^Mooring Route/.*)$", "", x)  # marks of what takes no tags
    return x


def see(service, call, **args):
    out = clean(getattr(session.client(service), call)(**args))
    OUT[f"{service} {call} {json.dumps(args, sort_keys=True)}"] = out
    return out


for f in see("lambda", "list_functions")["Functions"]:
    name = f["FunctionName"]
    for call in ("list_aliases", "list_versions_by_function", "list_function_event_invoke_configs", "list_function_url_configs", "get_function_concurrency"):
        see("lambda", call, FunctionName=name)
    for q in ({}, {"Qualifier": "live"}):
        try:
            see("lambda", "get_policy", FunctionName=name, **q)
        except Exception as e:  # there is none
            OUT[f"policy {name} {q}"] = type(e).__name__
see("lambda", "list_event_source_mappings")
for layer in see("lambda", "list_layers")["Layers"]:
    see("lambda", "list_layer_versions", LayerName=layer["LayerName"])
for url in see("sqs", "list_queues")["QueueUrls"]:
    see("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
for topic in see("sns", "list_topics")["Topics"]:
    see("sns", "get_topic_attributes", TopicArn=topic["TopicArn"])
for s in see("sns", "list_subscriptions")["Subscriptions"]:
    if s["SubscriptionArn"].startswith("arn:"):
        see("sns", "get_subscription_attributes", SubscriptionArn=s["SubscriptionArn"])
for bus in see("events", "list_event_buses")["EventBuses"]:
    for rule in see("events", "list_rules", EventBusName=bus["Name"])["Rules"]:
        see("events", "list_targets_by_rule", Rule=rule["Name"], EventBusName=bus["Name"])
for s in see("scheduler", "list_schedules")["Schedules"]:
    see("scheduler", "get_schedule", Name=s["Name"], GroupName=s["GroupName"])
for m in see("stepfunctions", "list_state_machines")["stateMachines"]:
    see("stepfunctions", "describe_state_machine", stateMachineArn=m["stateMachineArn"])
    see("stepfunctions", "list_state_machine_versions", stateMachineArn=m["stateMachineArn"])
    for alias in see("stepfunctions", "list_state_machine_aliases", stateMachineArn=m["stateMachineArn"])["stateMachineAliases"]:
        see("stepfunctions", "describe_state_machine_alias", stateMachineAliasArn=alias["stateMachineAliasArn"])
for api in see("apigatewayv2", "get_apis")["Items"]:
    for call in ("get_stages", "get_routes", "get_integrations", "get_authorizers"):
        see("apigatewayv2", call, ApiId=api["ApiId"])
for name in see("dynamodb", "list_tables")["TableNames"]:
    for call in ("describe_table", "describe_time_to_live", "describe_continuous_backups"):
        see("dynamodb", call, TableName=name)
for b in see("s3", "list_buckets")["Buckets"]:
    for call in ("get_bucket_versioning", "get_bucket_notification_configuration"):
        see("s3", call, Bucket=b["Name"])
for g in see("logs", "describe_log_groups")["logGroups"]:
    see("logs", "describe_subscription_filters", logGroupName=g["logGroupName"])
    see("logs", "describe_metric_filters", logGroupName=g["logGroupName"])
see("cloudwatch", "describe_alarms")
for r in see("iam", "list_roles")["Roles"]:
    see("iam", "list_attached_role_policies", RoleName=r["RoleName"])
    for p in see("iam", "list_role_policies", RoleName=r["RoleName"]).get("PolicyNames", []):
        see("iam", "get_role_policy", RoleName=r["RoleName"], PolicyName=p)
print(json.dumps(OUT, indent=1, sort_keys=True, default=str))
