# One Lambda system as people keep it in terraform. Some ARNs are written out,
# not referred to: the provider waits 25 seconds for each queue, and a queue
# that nothing waits for costs nothing.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "colour" { type = string }
variable "memory" { type = number }
variable "package" { type = string }

provider "aws" {
  skip_credentials_validation = true
  skip_region_validation      = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  default_tags { tags = { stack = "terraform" } }
}

resource "aws_iam_role" "orders" {
  name                 = "orders"
  path                 = "/shop/"
  description          = "What orders may do"
  max_session_duration = 7200
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
  tags = { team = "shop" }
}

resource "aws_iam_role_policy" "queues" {
  name = "queues"
  role = aws_iam_role.orders.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], Resource = "arn:aws:sqs:eu-west-1:111111111111:orders" },
      { Effect = "Allow", Action = "sqs:SendMessage", Resource = aws_sqs_queue.dead.arn },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "basic" {
  role       = aws_iam_role.orders.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_iam_policy" "metrics" {
  name        = "orders-metrics"
  description = "May write metrics"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "cloudwatch:PutMetricData", Resource = "*" }]
  })
}

resource "aws_iam_role_policy_attachment" "metrics" {
  role       = aws_iam_role.orders.name
  policy_arn = aws_iam_policy.metrics.arn
}

resource "aws_sqs_queue" "dead" {
  name                      = "orders-dead"
  message_retention_seconds = 1209600
  redrive_allow_policy      = jsonencode({ redrivePermission = "byQueue", sourceQueueArns = ["arn:aws:sqs:eu-west-1:111111111111:orders"] })
}

resource "aws_sqs_queue" "orders" {
  name                       = "orders"
  visibility_timeout_seconds = 60
  delay_seconds              = 0
  receive_wait_time_seconds  = 1
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 3 })
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "rule", Effect = "Allow", Action = "sqs:SendMessage", Resource = "arn:aws:sqs:eu-west-1:111111111111:orders", Principal = { Service = "events.amazonaws.com" } }]
  })
  tags                       = { team = "shop" }
}

resource "aws_sqs_queue" "first_in_first_out" {
  name                        = "orders.fifo"
  fifo_queue                  = true
  content_based_deduplication = true
}

resource "aws_cloudwatch_log_group" "orders" {
  name              = "/aws/lambda/orders"
  retention_in_days = 14
}

resource "aws_s3_bucket" "artifacts" {
  bucket        = "orders-artifacts"
  force_destroy = true
  tags          = { team = "shop" }
}

resource "aws_s3_bucket_versioning" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_object" "package" {
  bucket      = aws_s3_bucket_versioning.artifacts.bucket
  key         = "orders/package.zip"
  source      = var.package
  source_hash = filemd5(var.package)
}

resource "aws_lambda_layer_version" "shared" {
  layer_name          = "library"
  filename            = var.package
  source_code_hash    = filebase64sha256(var.package)
  compatible_runtimes = ["python3.12"]
  description         = "What functions share"
}

resource "aws_lambda_function" "orders" {
  function_name                  = "orders"
  description                    = "Takes orders"
  role                           = aws_iam_role.orders.arn
  runtime                        = "python3.12"
  handler                        = "orders.handle"
  architectures                  = ["x86_64"]
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  layers                         = [aws_lambda_layer_version.shared.arn]
  memory_size                    = var.memory
  timeout                        = 10
  reserved_concurrent_executions = 5
  publish                        = true
  environment {
    variables = {
      COLOUR = var.colour
      SECRET = aws_secretsmanager_secret.key.arn
    }
  }
  tracing_config { mode = "Active" }
  dead_letter_config { target_arn = aws_sqs_queue.dead.arn }
  ephemeral_storage { size = 1024 }
  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "WARN"
    log_group             = aws_cloudwatch_log_group.orders.name
  }
  tags       = { team = "shop" }
  depends_on = [aws_iam_role_policy.queues, aws_iam_role_policy_attachment.basic]
}

# A second function by the other road: from the bucket, nothing said.
resource "aws_lambda_function" "plain" {
  function_name     = "plain"
  role              = aws_iam_role.orders.arn
  runtime           = "python3.12"
  handler           = "orders.handle"
  s3_bucket         = aws_s3_object.package.bucket
  s3_key            = aws_s3_object.package.key
  s3_object_version = aws_s3_object.package.version_id
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What serves"
  function_name    = aws_lambda_function.orders.function_name
  function_version = "1"
  dynamic "routing_config" { # a canary, once there is a second version
    for_each = aws_lambda_function.orders.version == "1" ? [] : [aws_lambda_function.orders.version]
    content {
      additional_version_weights = { (routing_config.value) = 0.1 }
    }
  }
}

resource "aws_lambda_event_source_mapping" "orders" {
  function_name                      = aws_lambda_alias.live.arn
  event_source_arn                   = aws_sqs_queue.orders.arn
  batch_size                         = 20
  maximum_batching_window_in_seconds = 1
  function_response_types            = ["ReportBatchItemFailures"]
  filter_criteria {
    filter { pattern = jsonencode({ body = { kind = ["order"] } }) }
  }
  scaling_config { maximum_concurrency = 2 }
}

resource "aws_lambda_permission" "rule" {
  statement_id  = "rule"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.orders.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.nightly.arn
}

resource "aws_lambda_permission" "bucket" {
  statement_id   = "bucket"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.orders.arn
  principal      = "s3.amazonaws.com"
  source_account = "111111111111"
}

resource "aws_lambda_function_url" "live" {
  function_name      = aws_lambda_function.orders.function_name
  qualifier          = aws_lambda_alias.live.name
  authorization_type = "AWS_IAM"
  invoke_mode        = "BUFFERED"
  cors {
    allow_origins = ["https://shop.example"]
    allow_methods = ["GET", "POST"]
    max_age       = 60
  }
}

resource "aws_lambda_function_event_invoke_config" "live" {
  function_name                = aws_lambda_function.orders.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_event_age_in_seconds = 120
  maximum_retry_attempts       = 1
  destination_config {
    on_failure { destination = aws_sqs_queue.dead.arn }
  }
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  function_name                     = aws_lambda_function.orders.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = 1
}

resource "aws_secretsmanager_secret" "key" {
  name                    = "shop/key"
  description             = "Of the payment service"
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "key" {
  secret_id     = aws_secretsmanager_secret.key.id
  secret_string = "not-so-secret"
}

resource "aws_ssm_parameter" "limit" {
  name        = "/shop/limit"
  description = "Of orders a day"
  type        = "String"
  value       = "100"
}

resource "aws_ssm_parameter" "hidden" {
  name  = "/shop/hidden"
  type  = "SecureString"
  value = "hidden"
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "orders-errors"
  alarm_description   = "Too many errors"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.orders.function_name, Resource = "${aws_lambda_function.orders.function_name}:live" }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = 5
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "nightly"
  description         = "Counts the day's orders"
  schedule_expression = "rate(1 day)"
}

resource "aws_cloudwatch_event_target" "nightly" {
  rule      = aws_cloudwatch_event_rule.nightly.name
  target_id = "live"
  arn       = aws_lambda_alias.live.arn
  input     = jsonencode({ task = "count" })
  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 2
  }
  dead_letter_config { arn = aws_sqs_queue.dead.arn }
}

resource "aws_cloudwatch_event_rule" "orders" {
  name          = "orders"
  event_pattern = jsonencode({ source = ["shop"], detail-type = ["order"] })
}

resource "aws_cloudwatch_event_target" "orders" {
  rule = aws_cloudwatch_event_rule.orders.name
  arn  = aws_sqs_queue.orders.arn
}

resource "aws_sns_topic" "news" {
  name         = "news"
  display_name = "News"
}

resource "aws_sns_topic_subscription" "news" {
  topic_arn            = aws_sns_topic.news.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.orders.arn
  filter_policy        = jsonencode({ kind = ["order"] })
  raw_message_delivery = true
  redrive_policy       = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn })
}

resource "aws_iam_role" "clock" {
  name = "clock"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "scheduler.amazonaws.com" } }]
  })
}

resource "aws_scheduler_schedule_group" "shop" { name = "shop" }

resource "aws_scheduler_schedule" "nightly" {
  name                         = "nightly"
  group_name                   = aws_scheduler_schedule_group.shop.name
  schedule_expression          = "cron(0 3 * * ? *)"
  schedule_expression_timezone = "Europe/Zurich"
  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 10
  }
  target {
    arn      = aws_sqs_queue.orders.arn
    role_arn = aws_iam_role.clock.arn
    input    = jsonencode({ task = "count" })
  }
}

data "aws_caller_identity" "me" {}

output "account" { value = data.aws_caller_identity.me.account_id }
output "version" { value = aws_lambda_function.orders.version }
output "url" { value = aws_lambda_function_url.live.function_url }
