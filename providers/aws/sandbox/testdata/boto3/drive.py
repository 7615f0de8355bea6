"""Every service of the sandbox, as people drive it with boto3.

The sandbox's address and the first user come from the environment. Each test
makes what it needs under a name of its own.
"""

import base64
import io
import json
import time
import unittest
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "111111111111"
REGION = "eu-west-1"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]})
CODE = """
import json, os
EDITION = 1
def handle(event, context):
    print("asked for", json.dumps(event))
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError("told to fail")
    records = event.get("Records", []) if isinstance(event, dict) else []
    return {"edition": EDITION, "version": context.function_version, "colour": os.environ.get("COLOUR"),
            "bodies": [r["body"] for r in records]}
"""
ALICE = boto3.Session()
BOB = boto3.Session(aws_access_key_id="bob", aws_secret_access_key="secret", region_name=REGION)
QUICK = Config(retries={"mode": "standard", "max_attempts": 2})
CLIENTS = {}


def client(service, session=ALICE):
    """A client of a service, made once."""
    key = (service, id(session))
    if key not in CLIENTS:
        CLIENTS[key] = session.client(service, config=QUICK)
    return CLIENTS[key]


def package(edition=1):
    """A zip of the function's code."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("main.py", CODE.replace("EDITION = 1", f"EDITION = {edition}"))
    return out.getvalue()


def role(name):
    """The ARN of a role that Lambda may assume."""
    iam = client("iam")
    try:
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        return iam.get_role(RoleName=name)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole")
    return arn


def function(name, **more):
    """Makes a function and waits until it is active."""
    lam = client("lambda")
    lam.create_function(FunctionName=name, Role=role("runner"), Runtime="python3.12", Handler="main.handle",
                        Code={"ZipFile": package()}, **more)
    lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return lam


def answer(lam, name, payload, **more):
    out = lam.invoke(FunctionName=name, Payload=json.dumps(payload), **more)
    return json.loads(out["Payload"].read()), out


def eventually(what, holds):
    """Waits for what real processes do in their own time."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = holds()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("there was never " + what)


def code(error):
    return error.exception.response["Error"]["Code"]


class Identity(unittest.TestCase):
    def test_keys_are_people(self):
        self.assertEqual(client("sts").get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/alice")
        self.assertEqual(client("sts", BOB).get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/bob")
        self.assertEqual(client("iam").get_user()["User"]["UserName"], "alice")

    def test_assumed_roles(self):
        trust = TRUST.replace('"Service": "lambda.amazonaws.com"', f'"AWS": "arn:aws:iam::{ACCOUNT}:root"')
        arn = client("iam").create_role(RoleName="admin", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        got = client("sts").assume_role(RoleArn=arn, RoleSessionName="carol")["Credentials"]
        carol = boto3.Session(aws_access_key_id=got["AccessKeyId"], aws_secret_access_key=got["SecretAccessKey"],
                              aws_session_token=got["SessionToken"], region_name=REGION)
        self.assertEqual(carol.client("sts").get_caller_identity()["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/carol")

    def test_roles_and_policies(self):
        iam = client("iam")
        role("r")
        iam.get_waiter("role_exists").wait(RoleName="r")
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
        iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=json.dumps(document))
        self.assertEqual(iam.get_role_policy(RoleName="r", PolicyName="inline")["PolicyDocument"], document)
        arn = iam.create_policy(PolicyName="own", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
        iam.attach_role_policy(RoleName="r", PolicyArn=arn)
        pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName="r", PaginationConfig={"PageSize": 1})
        self.assertEqual(len([p for page in pages for p in page["AttachedPolicies"]]), 2)
        details = iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"]).build_full_result()
        self.assertIn("r", [d["RoleName"] for d in details["RoleDetailList"]])
        with self.assertRaises(iam.exceptions.DeleteConflictException):
            iam.delete_role(RoleName="r")
        with self.assertRaises(iam.exceptions.NoSuchEntityException):
            iam.get_role(RoleName="nobody")


class Functions(unittest.TestCase):
    def test_life_of_a_function(self):
        lam = function("life", Environment={"Variables": {"COLOUR": "blue"}}, Tags={"team": "shop"}, Publish=True)
        got, out = answer(lam, "life", {"n": 1}, LogType="Tail")
        self.assertEqual((got["edition"], got["colour"], out["ExecutedVersion"]), (1, "blue", "$LATEST"))
        self.assertIn('asked for {"n": 1}', base64.b64decode(out["LogResult"]).decode())

        lam.update_function_configuration(FunctionName="life", Environment={"Variables": {"COLOUR": "green"}})
        lam.get_waiter("function_updated_v2").wait(FunctionName="life", WaiterConfig={"Delay": 1})
        lam.update_function_code(FunctionName="life", ZipFile=package(2))
        lam.get_waiter("function_updated").wait(FunctionName="life", WaiterConfig={"Delay": 1})
        second = lam.publish_version(FunctionName="life", Description="second")
        lam.get_waiter("published_version_active").wait(FunctionName="life", Qualifier=second["Version"], WaiterConfig={"Delay": 1})
        self.assertEqual(answer(lam, "life", {}, Qualifier="1")[0]["colour"], "blue")
        got, _ = answer(lam, "life", {}, Qualifier="2")
        self.assertEqual((got["edition"], got["colour"], got["version"]), (2, "green", "2"))

        pages = list(lam.get_paginator("list_versions_by_function").paginate(FunctionName="life", PaginationConfig={"PageSize": 1}))
        self.assertEqual([v["Version"] for p in pages for v in p["Versions"]], ["$LATEST", "1", "2"])
        held = lam.get_function(FunctionName="life")
        self.assertEqual(held["Tags"], {"team": "shop"})
        with urllib.request.urlopen(held["Code"]["Location"]) as download:
            self.assertEqual(zipfile.ZipFile(io.BytesIO(download.read())).namelist(), ["main.py"])
        with self.assertRaises(lam.exceptions.PreconditionFailedException):
            lam.update_function_configuration(FunctionName="life", Timeout=9, RevisionId="not-this-one")
        lam.delete_function(FunctionName="life")
        with self.assertRaises(lam.exceptions.ResourceNotFoundException):
            lam.get_function(FunctionName="life")

    def test_errors_are_the_functions(self):
        lam = function("fails")
        got, out = answer(lam, "fails", {"fail": True})
        self.assertEqual((out["StatusCode"], out["FunctionError"], got["errorType"]), (200, "Unhandled", "ValueError"))

    def test_settings_around_a_function(self):
        lam = function("around", Publish=True)
        lam.create_alias(FunctionName="around", Name="live", FunctionVersion="1")
        lam.put_function_concurrency(FunctionName="around", ReservedConcurrentExecutions=3)
        self.assertEqual(lam.get_function_concurrency(FunctionName="around")["ReservedConcurrentExecutions"], 3)
        lam.put_function_event_invoke_config(FunctionName="around", Qualifier="live", MaximumRetryAttempts=0)
        self.assertEqual(len(lam.list_function_event_invoke_configs(FunctionName="around")["FunctionEventInvokeConfigs"]), 1)
        lam.add_permission(FunctionName="around", Qualifier="live", StatementId="rule", Action="lambda:InvokeFunction",
                           Principal="events.amazonaws.com")
        policy = json.loads(lam.get_policy(FunctionName="around", Qualifier="live")["Policy"])
        self.assertEqual([s["Sid"] for s in policy["Statement"]], ["rule"])
        lam.remove_permission(FunctionName="around", Qualifier="live", StatementId="rule")
        lam.tag_resource(Resource=lam.get_function(FunctionName="around")["Configuration"]["FunctionArn"], Tags={"a": "1"})
        self.assertGreater(lam.get_account_settings()["AccountUsage"]["FunctionCount"], 0)
        lam.put_function_concurrency(FunctionName="around", ReservedConcurrentExecutions=0)
        with self.assertRaises(lam.exceptions.TooManyRequestsException) as refused:
            lam.invoke(FunctionName="around")
        self.assertEqual(refused.exception.response["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")

    def test_functions_on_the_web(self):
        lam = function("web")
        url = lam.create_function_url_config(FunctionName="web", AuthType="NONE")["FunctionUrl"]
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url)
        self.assertEqual(refused.exception.code, 403)
        refused.exception.close()
        lam.add_permission(FunctionName="web", StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*", FunctionUrlAuthType="NONE")
        lam.add_permission(FunctionName="web", StatementId="invoke", Action="lambda:InvokeFunction", Principal="*", InvokedViaFunctionUrl=True)
        with urllib.request.urlopen(url + "hello?a=1") as got:
            self.assertEqual(json.loads(got.read())["edition"], 1)

    def test_layers(self):
        lam = client("lambda")
        out = lam.publish_layer_version(LayerName="lib", Content={"ZipFile": package()}, CompatibleRuntimes=["python3.12"])
        self.assertEqual(out["Version"], 1)
        self.assertEqual([l["LayerName"] for p in lam.get_paginator("list_layers").paginate() for l in p["Layers"]], ["lib"])
        lam.delete_layer_version(LayerName="lib", VersionNumber=1)


class Delivery(unittest.TestCase):
    def test_a_queue_feeds_a_function(self):
        lam, sqs = function("worker"), client("sqs")
        url = sqs.create_queue(QueueName="work")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        mapping = lam.create_event_source_mapping(FunctionName="worker", EventSourceArn=arn, BatchSize=10,
                                                  FilterCriteria={"Filters": [{"Pattern": '{"body": {"kind": ["order"]}}'}]})
        eventually("an enabled mapping", lambda: lam.get_event_source_mapping(UUID=mapping["UUID"])["State"] == "Enabled")
        entries = [{"Id": str(n), "MessageBody": json.dumps({"kind": "order", "n": n})} for n in range(5)]
        self.assertEqual(len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]), 5)

        def drained():
            held = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            return held["ApproximateNumberOfMessages"] == "0" == held["ApproximateNumberOfMessagesNotVisible"]

        def lines():
            pages = client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/worker")
            text = "".join(e["message"] for p in pages for e in p["events"])
            return all(f'\\"n\\": {n}' in text for n in range(5))

        eventually("an empty queue", drained)
        eventually("the function's lines", lines)
        found = [m["UUID"] for p in lam.get_paginator("list_event_source_mappings").paginate(EventSourceArn=arn) for m in p["EventSourceMappings"]]
        self.assertEqual(found, [mapping["UUID"]])
        lam.delete_event_source_mapping(UUID=mapping["UUID"])

    def test_failed_events_go_to_their_destination(self):
        lam, sqs = function("later"), client("sqs")
        url = sqs.create_queue(QueueName="later-failed")["QueueUrl"]
        client("iam").put_role_policy(RoleName="runner", PolicyName="send", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}))
        lam.put_function_event_invoke_config(FunctionName="later", MaximumRetryAttempts=0, DestinationConfig={
            "OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:later-failed"}})
        self.assertEqual(lam.invoke(FunctionName="later", InvocationType="Event", Payload=b'{"fail": true}')["StatusCode"], 202)
        got = eventually("a record of the failure", lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
        self.assertEqual(json.loads(got[0]["Body"])["requestContext"]["condition"], "RetriesExhausted")

    def test_a_rule_feeds_a_queue(self):
        bus, sqs = client("events"), client("sqs")
        policy = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*",
            "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/orders"}}}]}
        url = sqs.create_queue(QueueName="from-bus", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
        bus.put_rule(Name="orders", EventPattern=json.dumps({"source": ["shop"]}))
        bus.put_targets(Rule="orders", Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:from-bus"}])
        entry = {"Source": "shop", "DetailType": "order", "Detail": json.dumps({"id": 7})}
        self.assertEqual(bus.put_events(Entries=[entry, {**entry, "Source": "other"}])["FailedEntryCount"], 0)
        got = eventually("an event", lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
        self.assertEqual([json.loads(m["Body"])["detail"] for m in got], [{"id": 7}])
        self.assertEqual([r["Name"] for p in bus.get_paginator("list_rules").paginate() for r in p["Rules"]], ["orders"])
        bus.remove_targets(Rule="orders", Ids=["queue"])
        bus.delete_rule(Name="orders")

    def test_a_topic_feeds_a_queue(self):
        sns, sqs = client("sns"), client("sqs")
        arn = sns.create_topic(Name="news", Tags=[{"Key": "team", "Value": "press"}])["TopicArn"]
        policy = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*",
            "Condition": {"ArnLike": {"aws:SourceArn": arn}}}]}
        url = sqs.create_queue(QueueName="readers", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
        subscription = sns.subscribe(
            TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:readers",
            Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"section": ["sport"]})})["SubscriptionArn"]
        for section in ("sport", "culture"):
            sns.publish(TopicArn=arn, Message=section, MessageAttributes={"section": {"DataType": "String", "StringValue": section}})
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        self.assertEqual([m["Body"] for m in got], ["sport"])
        held = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
        self.assertEqual((held["FilterPolicyScope"], held["PendingConfirmation"]), ("MessageAttributes", "false"))
        self.assertEqual(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SubscriptionsConfirmed"], "1")
        self.assertEqual(sns.list_tags_for_resource(ResourceArn=arn)["Tags"], [{"Key": "team", "Value": "press"}])
        self.assertEqual([s["Endpoint"] for p in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
                          for s in p["Subscriptions"]], [f"arn:aws:sqs:{REGION}:{ACCOUNT}:readers"])
        sns.delete_topic(TopicArn=arn)
        with self.assertRaises(sns.exceptions.NotFoundException):
            sns.get_topic_attributes(TopicArn=arn)

    def test_schedules(self):
        schedules, iam = client("scheduler"), client("iam")
        trust = TRUST.replace("lambda.", "scheduler.")
        role_arn = iam.create_role(RoleName="clock", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        schedules.create_schedule_group(Name="shop", Tags=[{"Key": "team", "Value": "shop"}])
        schedules.create_schedule(
            Name="nightly", GroupName="shop", ScheduleExpression="cron(0 3 * * ? *)", ScheduleExpressionTimezone="Europe/Zurich",
            FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}, StartDate=datetime(2030, 1, 1, tzinfo=timezone.utc),
            Target={"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:work", "RoleArn": role_arn, "Input": "{}"})
        held = schedules.get_schedule(Name="nightly", GroupName="shop")
        self.assertEqual((held["State"], held["StartDate"].year, held["Target"]["RetryPolicy"]["MaximumRetryAttempts"]), ("ENABLED", 2030, 185))
        self.assertEqual([s["Name"] for p in schedules.get_paginator("list_schedules").paginate(GroupName="shop")
                          for s in p["Schedules"]], ["nightly"])
        arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/shop"
        schedules.untag_resource(ResourceArn=arn, TagKeys=["team"])
        self.assertEqual(schedules.list_tags_for_resource(ResourceArn=arn)["Tags"], [])
        schedules.delete_schedule(Name="nightly", GroupName="shop")
        with self.assertRaises(schedules.exceptions.ResourceNotFoundException):
            schedules.get_schedule(Name="nightly", GroupName="shop")
        schedules.delete_schedule_group(Name="shop")


class Queues(unittest.TestCase):
    def test_messages_come_back_and_then_go_to_the_dead(self):
        sqs = client("sqs")
        dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        url = sqs.create_queue(QueueName="alive", Attributes={"VisibilityTimeout": "0", "RedrivePolicy": json.dumps(
            {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead", "maxReceiveCount": 2})})["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="b", MessageAttributes={"n": {"DataType": "Number", "StringValue": "7"}})
        for count in ("1", "2"):
            got = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])["Messages"][0]
            self.assertEqual((got["Attributes"]["ApproximateReceiveCount"], got["MessageAttributes"]["n"]["StringValue"]), (count, "7"))
        self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url))
        got = sqs.receive_message(QueueUrl=dead)["Messages"][0]
        sqs.delete_message(QueueUrl=dead, ReceiptHandle=got["ReceiptHandle"])
        self.assertEqual(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])
        pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="", PaginationConfig={"PageSize": 1})
        self.assertLessEqual({dead, url}, {u for p in pages for u in p.get("QueueUrls", [])})

    def test_first_in_first_out(self):
        queue = boto3.resource("sqs").create_queue(QueueName="line.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})
        for body in ("a", "b", "b"):
            queue.send_message(MessageBody=body, MessageGroupId="g")
        self.assertEqual([m.body for m in queue.receive_messages(MaxNumberOfMessages=10)], ["a", "b"])

    def test_no_such_queue(self):
        sqs = client("sqs")
        with self.assertRaises(sqs.exceptions.QueueDoesNotExist) as refused:
            sqs.get_queue_url(QueueName="nowhere")
        self.assertEqual(code(refused), "AWS.SimpleQueueService.NonExistentQueue")


class Objects(unittest.TestCase):
    def test_versions_tags_and_pages(self):
        s3 = client("s3")
        s3.create_bucket(Bucket="versions", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.get_waiter("bucket_exists").wait(Bucket="versions", WaiterConfig={"Delay": 1})
        s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
        first = s3.put_object(Bucket="versions", Key="a", Body=b"one", Tagging="team=shop&stage=one")["VersionId"]
        s3.put_object(Bucket="versions", Key="a", Body=b"two", ChecksumAlgorithm="SHA256")
        s3.put_object(Bucket="versions", Key="dir/b", Body=b"three")
        s3.delete_object(Bucket="versions", Key="a")
        s3.get_waiter("object_not_exists").wait(Bucket="versions", Key="a", WaiterConfig={"Delay": 1})
        self.assertEqual(s3.get_object(Bucket="versions", Key="a", VersionId=first)["Body"].read(), b"one")
        tags = s3.get_object_tagging(Bucket="versions", Key="a", VersionId=first)["TagSet"]
        self.assertEqual({t["Key"]: t["Value"] for t in tags}, {"team": "shop", "stage": "one"})
        pages = list(s3.get_paginator("list_object_versions").paginate(Bucket="versions", PaginationConfig={"PageSize": 1}))
        listed = [(v["Key"], v["IsLatest"]) for p in pages for v in p.get("DeleteMarkers", []) + p.get("Versions", [])]
        self.assertEqual(listed, [("a", True), ("a", False), ("a", False), ("dir/b", True)])
        boto3.resource("s3").Bucket("versions").object_versions.delete()
        s3.delete_bucket(Bucket="versions")
        s3.get_waiter("bucket_not_exists").wait(Bucket="versions", WaiterConfig={"Delay": 1})

    def test_many_and_large(self):
        s3 = client("s3")
        s3.create_bucket(Bucket="many", CreateBucketConfiguration={"LocationConstraint": REGION})
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: s3.put_object(Bucket="many", Key=f"d{n % 3}/{n:02}", Body=b"x"), range(12)))
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="many", PaginationConfig={"PageSize": 5}))
        self.assertEqual([len(p["Contents"]) for p in pages], [5, 5, 2])
        tops = s3.list_objects_v2(Bucket="many", Delimiter="/")["CommonPrefixes"]
        self.assertEqual([t["Prefix"] for t in tops], ["d0/", "d1/", "d2/"])
        large = bytes(range(256)) * (36 << 10)  # more than one part
        s3.upload_fileobj(io.BytesIO(large), "many", "large")
        back = io.BytesIO()
        s3.download_fileobj("many", "large", back)
        self.assertEqual(back.getvalue(), large)
        signed = s3.generate_presigned_url("get_object", Params={"Bucket": "many", "Key": "d0/00"})
        with urllib.request.urlopen(signed) as got:
            self.assertEqual(got.read(), b"x")
        with self.assertRaises(ClientError) as refused:
            s3.put_object(Bucket="many", Key="large", Body=b"", IfNoneMatch="*")
        self.assertEqual(code(refused), "PreconditionFailed")


class Configuration(unittest.TestCase):
    def test_secrets(self):
        sm = client("secretsmanager")
        arn = sm.create_secret(Name="shop/key", SecretString="one", Tags=[{"Key": "team", "Value": "shop"}])["ARN"]
        sm.put_secret_value(SecretId="shop/key", SecretString="two")
        self.assertEqual(sm.get_secret_value(SecretId=arn)["SecretString"], "two")
        self.assertEqual(sm.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"], "one")
        pages = sm.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": ["shop/"]}])
        self.assertEqual([x["ARN"] for p in pages for x in p["SecretList"]], [arn])
        sm.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
        with self.assertRaises(sm.exceptions.InvalidRequestException):
            sm.get_secret_value(SecretId=arn)
        self.assertIn("DeletedDate", sm.describe_secret(SecretId=arn))
        sm.restore_secret(SecretId=arn)

    def test_parameters(self):
        ssm = client("ssm")
        for n in range(12):
            ssm.put_parameter(Name=f"/shop/{n:02}", Value=str(n), Type="SecureString" if n % 2 else "String")
        pages = list(ssm.get_paginator("get_parameters_by_path").paginate(Path="/shop", WithDecryption=True))
        self.assertEqual(([p["Value"] for page in pages for p in page["Parameters"]], len(pages)), ([str(n) for n in range(12)], 2))
        with self.assertRaises(ssm.exceptions.ParameterAlreadyExists):
            ssm.put_parameter(Name="/shop/00", Value="x", Type="String")
        self.assertEqual(ssm.put_parameter(Name="/shop/00", Value="x", Type="String", Overwrite=True)["Version"], 2)
        names = [p["Name"] for page in ssm.get_paginator("describe_parameters").paginate(PaginationConfig={"PageSize": 5}) for p in page["Parameters"]]
        self.assertEqual(len(names), 12)
        self.assertEqual(len(ssm.delete_parameters(Names=names[:10])["DeletedParameters"]), 10)


class Watching(unittest.TestCase):
    def total(self, **dimensions):
        now = datetime.now(timezone.utc)
        query = {"Id": "q", "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {
            "Namespace": "AWS/Lambda", "MetricName": "Invocations",
            "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()]}}}
        pages = client("cloudwatch").get_paginator("get_metric_data").paginate(
            MetricDataQueries=[query], StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=2))
        return sum(v for p in pages for r in p["MetricDataResults"] for v in r["Values"])

    def test_versions_are_measured_apart(self):
        lam = function("measured", Publish=True)
        lam.update_function_code(FunctionName="measured", ZipFile=package(2), Publish=True)
        lam.get_waiter("published_version_active").wait(FunctionName="measured", Qualifier="2", WaiterConfig={"Delay": 1})
        lam.create_alias(FunctionName="measured", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
        ran = [answer(lam, "measured", {}, Qualifier="live")[1]["ExecutedVersion"] for _ in range(24)]
        self.assertEqual(set(ran), {"1", "2"})
        eventually("all invocations in the metrics", lambda: self.total(FunctionName="measured", Resource="measured:live") == 24)
        for version in ("1", "2"):
            got = self.total(FunctionName="measured", Resource="measured:live", ExecutedVersion=version)
            self.assertEqual(got, ran.count(version), "of version " + version)

    def test_alarms(self):
        cw = client("cloudwatch")
        for n in range(3):
            cw.put_metric_alarm(AlarmName=f"errors-{n}", Namespace="Shop", MetricName="Errors", Statistic="Sum", Period=60,
                                EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching")
        pages = list(cw.get_paginator("describe_alarms").paginate(AlarmNamePrefix="errors-", PaginationConfig={"PageSize": 2}))
        self.assertEqual([len(p["MetricAlarms"]) for p in pages], [2, 1])
        cw.set_alarm_state(AlarmName="errors-0", StateValue="ALARM", StateReason="a test")
        self.assertEqual(cw.describe_alarms(AlarmNames=["errors-0"])["MetricAlarms"][0]["StateValue"], "ALARM")
        cw.delete_alarms(AlarmNames=[f"errors-{n}" for n in range(3)])

    def test_the_trail_knows_who(self):
        function("watched")
        client("lambda", BOB).update_function_configuration(FunctionName="watched", MemorySize=256, Environment={"Variables": {"KEY": "s3cr3t"}})
        pages = client("cloudtrail").get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": "watched"}], PaginationConfig={"PageSize": 1})
        events = [e for p in pages for e in p["Events"] if e["ReadOnly"] == "false"]
        self.assertEqual([(e["EventName"], e["Username"]) for e in events],
                         [("UpdateFunctionConfiguration20150331v2", "bob"), ("CreateFunction20150331", "alice")])
        record = json.loads(events[0]["CloudTrailEvent"])
        self.assertEqual((record["userIdentity"]["userName"], record["requestParameters"]["memorySize"]), ("bob", 256))
        self.assertNotIn("s3cr3t", events[0]["CloudTrailEvent"])
        by_name = client("cloudtrail").lookup_events(LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": "bob"}])["Events"]
        self.assertEqual(by_name[0]["EventName"], "UpdateFunctionConfiguration20150331v2")
        self.assertEqual({e["Username"] for e in by_name}, {"bob"})

    def test_logs(self):
        logs = client("logs")
        logs.create_log_group(logGroupName="/own/group", tags={"team": "shop"})
        logs.put_retention_policy(logGroupName="/own/group", retentionInDays=7)
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/own/")
        self.assertEqual([g["retentionInDays"] for p in pages for g in p["logGroups"]], [7])
        logs.delete_log_group(logGroupName="/own/group")

    def test_tags_of_all_services(self):
        lam = function("tagged", Tags={"owner": "boto3"})
        url = client("sqs").create_queue(QueueName="tagged", tags={"owner": "boto3"})["QueueUrl"]
        pages = client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(
            TagFilters=[{"Key": "owner", "Values": ["boto3"]}], PaginationConfig={"PageSize": 1})
        found = [m["ResourceARN"] for p in pages for m in p["ResourceTagMappingList"]]
        self.assertEqual(found, [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:tagged", f"arn:aws:sqs:{REGION}:{ACCOUNT}:tagged"])
        client("sqs").delete_queue(QueueUrl=url)
        lam.delete_function(FunctionName="tagged")


if __name__ == "__main__":
    unittest.main(verbosity=2)
