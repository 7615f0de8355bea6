"""What stands around functions: each kind made, read, changed, listed and
taken away with boto3, from one table.

The sandbox's address and the user come from the environment.
"""

import json
import time
import unittest

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "111111111111"
REGION = "eu-west-1"
QUICK = Config(retries={"mode": "standard", "max_attempts": 2})


def client(service):
    return boto3.client(service, config=QUICK)


def arn(service, rest):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def trust(service):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}]})


def role(name, service):
    return client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))["Role"]["Arn"]


def queue(name, service):
    """The ARN of a queue that a service may send to."""
    allowed = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage", "Resource": "*"}]}
    client("sqs").create_queue(QueueName=name, Attributes={"Policy": json.dumps(allowed)})
    return arn("sqs", name)


def machine(result):
    return json.dumps({"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": result, "End": True}}})


class Kind:
    """One kind: every step answers what a reader would look at."""

    missing = "ResourceNotFoundException"

    def __init__(self):
        self.c = client(self.service)


class Table(Kind):
    service = "dynamodb"
    before, after = ("PAY_PER_REQUEST", False), ("PAY_PER_REQUEST", True)

    def create(self):
        self.c.create_table(TableName="k-orders", BillingMode="PAY_PER_REQUEST", Tags=[{"Key": "team", "Value": "a"}],
                            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])
        self.c.get_waiter("table_exists").wait(TableName="k-orders", WaiterConfig={"Delay": 1})
        self.c.put_item(TableName="k-orders", Item={"id": {"S": "1"}, "n": {"N": "2"}})
        assert self.c.get_item(TableName="k-orders", Key={"id": {"S": "1"}})["Item"]["n"] == {"N": "2"}

    def read(self):
        t = self.c.describe_table(TableName="k-orders")["Table"]
        return t["BillingModeSummary"]["BillingMode"], t.get("DeletionProtectionEnabled", False)

    def update(self):
        self.c.update_table(TableName="k-orders", DeletionProtectionEnabled=True)
        self.c.get_waiter("table_exists").wait(TableName="k-orders", WaiterConfig={"Delay": 1})
        self.c.update_time_to_live(TableName="k-orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})

    def listed(self):
        return "k-orders" in self.c.list_tables()["TableNames"]

    def tags(self):
        return {t["Key"]: t["Value"] for t in self.c.list_tags_of_resource(ResourceArn=arn("dynamodb", "table/k-orders"))["Tags"]}

    def delete(self):
        self.c.update_table(TableName="k-orders", DeletionProtectionEnabled=False)
        self.c.get_waiter("table_exists").wait(TableName="k-orders", WaiterConfig={"Delay": 1})
        self.c.delete_table(TableName="k-orders")
        self.c.get_waiter("table_not_exists").wait(TableName="k-orders", WaiterConfig={"Delay": 1})


class Stream(Kind):
    service = "kinesis"
    before, after = 24, 48

    def create(self):
        self.c.create_stream(StreamName="k-clicks", ShardCount=1, Tags={"team": "a"})
        self.c.get_waiter("stream_exists").wait(StreamName="k-clicks", WaiterConfig={"Delay": 1})
        put = self.c.put_record(StreamName="k-clicks", Data=b"one", PartitionKey="p")
        it = self.c.get_shard_iterator(StreamName="k-clicks", ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        assert self.c.get_records(ShardIterator=it)["Records"][0]["Data"] == b"one"

    def read(self):
        return self.c.describe_stream_summary(StreamName="k-clicks")["StreamDescriptionSummary"]["RetentionPeriodHours"]

    def update(self):
        self.c.increase_stream_retention_period(StreamName="k-clicks", RetentionPeriodHours=48)

    def listed(self):
        return "k-clicks" in self.c.list_streams()["StreamNames"]

    def tags(self):
        return {t["Key"]: t["Value"] for t in self.c.list_tags_for_stream(StreamName="k-clicks")["Tags"]}

    def delete(self):
        self.c.delete_stream(StreamName="k-clicks", EnforceConsumerDeletion=True)


class Workflow(Kind):
    service = "stepfunctions"
    missing = "StateMachineDoesNotExist"
    before, after = "one", "two"
    arn = arn("states", "stateMachine:k-fulfil")

    def create(self):
        self.c.create_state_machine(name="k-fulfil", definition=machine("one"), roleArn=role("k-fulfil", "states.amazonaws.com"),
                                    tags=[{"key": "team", "value": "a"}])
        first = self.c.publish_state_machine_version(stateMachineArn=self.arn)["stateMachineVersionArn"]
        self.c.create_state_machine_alias(name="live", routingConfiguration=[{"stateMachineVersionArn": first, "weight": 100}])

    def read(self):
        definition = json.loads(self.c.describe_state_machine(stateMachineArn=self.arn)["definition"])
        return definition["States"]["Say"]["Result"]

    def update(self):
        self.c.update_state_machine(stateMachineArn=self.arn, definition=machine("two"))

    def listed(self):
        return self.arn in [m["stateMachineArn"] for m in self.c.list_state_machines()["stateMachines"]]

    def tags(self):
        return {t["key"]: t["value"] for t in self.c.list_tags_for_resource(resourceArn=self.arn)["tags"]}

    def delete(self):
        self.c.delete_state_machine_alias(stateMachineAliasArn=self.arn + ":live")
        self.c.delete_state_machine(stateMachineArn=self.arn)


class Rule(Kind):
    service = "events"
    before, after = ("ENABLED", 1), ("DISABLED", 0)

    def create(self):
        self.c.put_rule(Name="k-paid", EventPattern='{"source":["shop"]}', Tags=[{"Key": "team", "Value": "a"}])
        self.c.put_targets(Rule="k-paid", Targets=[{"Id": "q", "Arn": queue("k-paid", "events.amazonaws.com")}])

    def read(self):
        return self.c.describe_rule(Name="k-paid")["State"], len(self.c.list_targets_by_rule(Rule="k-paid")["Targets"])

    def update(self):
        self.c.disable_rule(Name="k-paid")
        self.c.remove_targets(Rule="k-paid", Ids=["q"])

    def listed(self):
        return "k-paid" in [r["Name"] for r in self.c.list_rules(NamePrefix="k-")["Rules"]]

    def tags(self):
        return {t["Key"]: t["Value"] for t in self.c.list_tags_for_resource(ResourceARN=arn("events", "rule/k-paid"))["Tags"]}

    def delete(self):
        self.c.delete_rule(Name="k-paid")


class Schedule(Kind):
    service = "scheduler"
    before, after = "rate(1 hour)", "rate(2 hours)"

    def put(self, call, expression):
        call(Name="k-hourly", GroupName="k-group", ScheduleExpression=expression, FlexibleTimeWindow={"Mode": "OFF"},
             Target={"Arn": arn("sqs", "k-hourly"), "RoleArn": self.role})

    def create(self):
        self.role = role("k-hourly", "scheduler.amazonaws.com")
        queue("k-hourly", "scheduler.amazonaws.com")
        self.c.create_schedule_group(Name="k-group", Tags=[{"Key": "team", "Value": "a"}])
        self.put(self.c.create_schedule, "rate(1 hour)")

    def read(self):
        return self.c.get_schedule(Name="k-hourly", GroupName="k-group")["ScheduleExpression"]

    def update(self):
        self.put(self.c.update_schedule, "rate(2 hours)")

    def listed(self):
        return "k-hourly" in [s["Name"] for s in self.c.list_schedules(GroupName="k-group")["Schedules"]]

    def tags(self):
        return {t["Key"]: t["Value"] for t in self.c.list_tags_for_resource(ResourceArn=arn("scheduler", "schedule-group/k-group"))["Tags"]}

    def delete(self):
        self.c.delete_schedule(Name="k-hourly", GroupName="k-group")


class Topic(Kind):
    service = "sns"
    missing = "NotFound"
    before, after = ("News", "{\"kind\": [\"a\"]}"), ("Other", "{\"kind\": [\"b\"]}")
    arn = arn("sns", "k-news")

    def create(self):
        self.c.create_topic(Name="k-news", Attributes={"DisplayName": "News"}, Tags=[{"Key": "team", "Value": "a"}])
        self.subscription = self.c.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=queue("k-news", "sns.amazonaws.com"),
                                             Attributes={"FilterPolicy": self.before[1]}, ReturnSubscriptionArn=True)["SubscriptionArn"]

    def read(self):
        name = self.c.get_topic_attributes(TopicArn=self.arn)["Attributes"]["DisplayName"]
        policy = self.c.get_subscription_attributes(SubscriptionArn=self.subscription)["Attributes"]["FilterPolicy"]
        return name, json.dumps(json.loads(policy))

    def update(self):
        self.c.set_topic_attributes(TopicArn=self.arn, AttributeName="DisplayName", AttributeValue="Other")
        self.c.set_subscription_attributes(SubscriptionArn=self.subscription, AttributeName="FilterPolicy", AttributeValue=self.after[1])

    def listed(self):
        return self.arn in [t["TopicArn"] for t in self.c.list_topics()["Topics"]]

    def tags(self):
        return {t["Key"]: t["Value"] for t in self.c.list_tags_for_resource(ResourceArn=self.arn)["Tags"]}

    def delete(self):
        self.c.unsubscribe(SubscriptionArn=self.subscription)
        self.c.delete_topic(TopicArn=self.arn)


class Api(Kind):
    service = "apigatewayv2"
    missing = "NotFoundException"
    before, after = ("one", ["GET /a"]), ("two", ["GET /b"])

    def create(self):
        self.id = self.c.create_api(Name="k-api", ProtocolType="HTTP", Description="one", Tags={"team": "a"})["ApiId"]
        integration = self.c.create_integration(ApiId=self.id, IntegrationType="HTTP_PROXY", IntegrationMethod="GET",
                                                IntegrationUri="https://shop.example", PayloadFormatVersion="1.0")["IntegrationId"]
        self.route = self.c.create_route(ApiId=self.id, RouteKey="GET /a", Target="integrations/" + integration)["RouteId"]
        self.c.create_stage(ApiId=self.id, StageName="$default", AutoDeploy=True)

    def read(self):
        routes = [r["RouteKey"] for r in self.c.get_routes(ApiId=self.id)["Items"]]
        return self.c.get_api(ApiId=self.id)["Description"], routes

    def update(self):
        self.c.update_api(ApiId=self.id, Description="two")
        self.c.update_route(ApiId=self.id, RouteId=self.route, RouteKey="GET /b")
        self.c.update_stage(ApiId=self.id, StageName="$default", DefaultRouteSettings={"ThrottlingBurstLimit": 5, "ThrottlingRateLimit": 5})

    def listed(self):
        return self.id in [a["ApiId"] for a in self.c.get_apis()["Items"]]

    def tags(self):
        return self.c.get_tags(ResourceArn=f"arn:aws:apigateway:{REGION}::/apis/{self.id}")["Tags"]

    def delete(self):
        self.c.delete_api(ApiId=self.id)


class Alarm(Kind):
    service = "cloudwatch"
    missing = None  # it is listed, or not
    before, after = 1.0, 2.0

    def put(self, threshold):
        self.c.put_metric_alarm(AlarmName="k-errors", Namespace="AWS/Lambda", MetricName="Errors", Statistic="Sum", Period=60,
                                EvaluationPeriods=1, Threshold=threshold, ComparisonOperator="GreaterThanThreshold",
                                Tags=[{"Key": "team", "Value": "a"}])

    def create(self):
        self.put(1.0)

    def read(self):
        return self.c.describe_alarms(AlarmNames=["k-errors"])["MetricAlarms"][0]["Threshold"]

    def update(self):
        self.put(2.0)
        self.c.set_alarm_state(AlarmName="k-errors", StateValue="ALARM", StateReason="told to")

    def listed(self):
        return "k-errors" in [a["AlarmName"] for a in self.c.describe_alarms(AlarmNamePrefix="k-")["MetricAlarms"]]

    def tags(self):
        return {t["Key"]: t["Value"] for t in self.c.list_tags_for_resource(ResourceARN=arn("cloudwatch", "alarm:k-errors"))["Tags"]}

    def delete(self):
        self.c.delete_alarms(AlarmNames=["k-errors"])


class LogGroup(Kind):
    service = "logs"
    missing = None
    before, after = (7, ["errors"]), (30, [])

    def create(self):
        self.c.create_log_group(logGroupName="k-audit", tags={"team": "a"})
        self.c.put_retention_policy(logGroupName="k-audit", retentionInDays=7)
        self.c.put_metric_filter(logGroupName="k-audit", filterName="errors", filterPattern="ERROR", metricTransformations=[
            {"metricName": "Errors", "metricNamespace": "Shop", "metricValue": "1"}])

    def read(self):
        group = self.c.describe_log_groups(logGroupIdentifiers=["k-audit"])["logGroups"][0]
        filters = self.c.describe_metric_filters(logGroupName="k-audit")["metricFilters"]
        everywhere = [f["filterName"] for f in self.c.describe_metric_filters()["metricFilters"] if f["logGroupName"] == "k-audit"]
        assert everywhere == [f["filterName"] for f in filters]
        return group["retentionInDays"], everywhere

    def update(self):
        self.c.put_retention_policy(logGroupName="k-audit", retentionInDays=30)
        self.c.delete_metric_filter(logGroupName="k-audit", filterName="errors")

    def listed(self):
        return "k-audit" in [g["logGroupName"] for g in self.c.describe_log_groups(logGroupNamePrefix="k-")["logGroups"]]

    def tags(self):
        return self.c.list_tags_for_resource(resourceArn=arn("logs", "log-group:k-audit"))["tags"]

    def delete(self):
        self.c.delete_log_group(logGroupName="k-audit")


class Notification(Kind):
    service = "s3"
    missing = "NoSuchBucket"
    before, after = (1, 0), (0, 1)

    def create(self):
        self.c.create_bucket(Bucket="k-uploads", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.c.put_bucket_tagging(Bucket="k-uploads", Tagging={"TagSet": [{"Key": "team", "Value": "a"}]})
        self.c.put_bucket_notification_configuration(Bucket="k-uploads", NotificationConfiguration={"QueueConfigurations": [
            {"Id": "q", "QueueArn": queue("k-uploads", "s3.amazonaws.com"), "Events": ["s3:ObjectCreated:*"]}]})

    def read(self):
        n = self.c.get_bucket_notification_configuration(Bucket="k-uploads")
        return len(n.get("QueueConfigurations", [])), int("EventBridgeConfiguration" in n)

    def update(self):
        self.c.put_bucket_notification_configuration(Bucket="k-uploads", NotificationConfiguration={"EventBridgeConfiguration": {}})

    def listed(self):
        return "k-uploads" in [b["Name"] for b in self.c.list_buckets()["Buckets"]]

    def tags(self):
        return {t["Key"]: t["Value"] for t in self.c.get_bucket_tagging(Bucket="k-uploads")["TagSet"]}

    def delete(self):
        self.c.delete_bucket(Bucket="k-uploads")


KINDS = [Table, Stream, Workflow, Rule, Schedule, Topic, Api, Alarm, LogGroup, Notification]


class Kinds(unittest.TestCase):
    def test_each(self):
        for kind in KINDS:
            with self.subTest(kind.__name__):
                k = kind()
                k.create()
                self.assertEqual(k.read(), k.before)
                self.assertTrue(k.listed())
                self.assertEqual(k.tags(), {"team": "a"})
                k.update()
                self.assertEqual(k.read(), k.after)
                k.delete()
                until = time.monotonic() + 60
                while k.listed() and time.monotonic() < until:
                    time.sleep(0.1)  # some take a while to go
                self.assertFalse(k.listed())
                if k.missing:
                    with self.assertRaises(ClientError) as caught:
                        k.read()
                    self.assertEqual(caught.exception.response["Error"]["Code"], k.missing)


if __name__ == "__main__":
    unittest.main()
