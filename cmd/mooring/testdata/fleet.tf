# A fleet as people keep it in terraform, less the queue: the provider waits
# half a minute for each.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "package" { type = string }

provider "aws" {
  skip_credentials_validation = true
  skip_region_validation      = true
  skip_metadata_api_check     = true
  default_tags { tags = { ManagedBy = "terraform" } }
}

locals {
  queue     = "arn:aws:sqs:eu-west-1:111111111111:orders"
  functions = toset(["shop-checkout", "shop-mailer", "shop-report"])
}

resource "aws_iam_role" "shop" {
  for_each = local.functions
  name     = each.key
  path     = "/shop/"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy" "queue" {
  for_each = aws_iam_role.shop
  name     = "queue"
  role     = each.value.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], Resource = local.queue },
      { Effect = "Allow", Action = ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"],
      Resource = aws_dynamodb_table.orders.stream_arn },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "basic" {
  for_each   = aws_iam_role.shop
  role       = each.value.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_lambda_function" "shop" {
  for_each         = local.functions
  function_name    = each.key
  description      = "Of the shop"
  role             = aws_iam_role.shop[each.key].arn
  runtime          = "python3.12"
  handler          = "app.handle"
  architectures    = ["arm64"]
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  memory_size      = 256
  timeout          = 10
  publish          = each.key == "shop-checkout"
  environment { variables = { LEVEL = "info", API_TOKEN = "tok_Zk3vQ9pXt7Lm2Rw8" } }
  layers = each.key == "shop-report" ? [aws_lambda_layer_version.money.arn] : []
  tracing_config { mode = "Active" }
  ephemeral_storage { size = 1024 }
  logging_config {
    log_format            = "JSON"
    application_log_level = "WARN"
    system_log_level      = "WARN"
  }
  depends_on = [aws_iam_role_policy.queue, aws_cloudwatch_log_group.checkout]
}

resource "aws_lambda_alias" "prod" {
  name             = "prod"
  description      = "What serves"
  function_name    = aws_lambda_function.shop["shop-checkout"].function_name
  function_version = aws_lambda_function.shop["shop-checkout"].version
}

resource "aws_lambda_event_source_mapping" "orders" {
  function_name                      = aws_lambda_alias.prod.arn
  event_source_arn                   = local.queue
  batch_size                         = 20
  maximum_batching_window_in_seconds = 1
  filter_criteria {
    filter { pattern = jsonencode({ body = { kind = ["order"] } }) }
  }
  scaling_config { maximum_concurrency = 2 }
}

resource "aws_lambda_permission" "rule" {
  statement_id  = "rule"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_alias.prod.function_name
  qualifier     = aws_lambda_alias.prod.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.nightly.arn
}

resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "shop-nightly"
  description         = "Every night"
  schedule_expression = "cron(0 3 * * ? *)"
}

resource "aws_cloudwatch_event_target" "nightly" {
  rule  = aws_cloudwatch_event_rule.nightly.name
  arn   = aws_lambda_alias.prod.arn
  input = jsonencode({ report = "nightly" })
}

resource "aws_cloudwatch_event_rule" "paid" {
  name          = "shop-paid"
  event_pattern = jsonencode({ source = ["shop"], detail-type = ["paid"] })
}

resource "aws_cloudwatch_event_target" "paid" {
  rule      = aws_cloudwatch_event_rule.paid.name
  target_id = "orders"
  arn       = local.queue
  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 5
  }
  input_transformer {
    input_paths    = { order = "$.detail.id" }
    input_template = "{\"paid\": <order>}"
  }
}

resource "aws_sns_topic" "news" {
  name         = "shop-news"
  display_name = "News"
}

resource "aws_lambda_permission" "news" {
  statement_id  = "AllowExecutionFromSNS"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.shop["shop-mailer"].function_name
  principal     = "sns.amazonaws.com"
  source_arn    = aws_sns_topic.news.arn
}

resource "aws_sns_topic_subscription" "mailer" {
  topic_arn     = aws_sns_topic.news.arn
  protocol      = "lambda"
  endpoint      = aws_lambda_function.shop["shop-mailer"].arn
  filter_policy = jsonencode({ kind = ["letter"] })
}

resource "aws_sns_topic_subscription" "orders" {
  topic_arn            = aws_sns_topic.news.arn
  protocol             = "sqs"
  endpoint             = local.queue
  raw_message_delivery = true
}

resource "aws_scheduler_schedule" "report" {
  name                         = "shop-report"
  schedule_expression          = "cron(0 9 ? * MON-FRI *)"
  schedule_expression_timezone = "Europe/Zurich"
  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 10
  }
  target {
    arn      = aws_lambda_function.shop["shop-report"].arn
    role_arn = aws_iam_role.caller.arn
    input    = jsonencode({ report = "daily" })
  }
}

resource "aws_iam_role" "caller" {
  name = "shop-caller"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = {
      Service = ["scheduler.amazonaws.com", "states.amazonaws.com"]
    } }]
  })
}

resource "aws_iam_role_policy" "caller" {
  name = "call"
  role = aws_iam_role.caller.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "lambda:InvokeFunction", Resource = "*" }]
  })
}

resource "aws_cloudwatch_log_group" "checkout" {
  name              = "/aws/lambda/shop-checkout"
  retention_in_days = 14
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/shop/access"
  retention_in_days = 30
}

resource "aws_cloudwatch_log_metric_filter" "slow" {
  name           = "slow"
  log_group_name = aws_cloudwatch_log_group.checkout.name
  pattern        = "{ $.took > 1000 }"
  metric_transformation {
    namespace = "Shop"
    name      = "Slow"
    value     = "1"
  }
}

resource "aws_sfn_state_machine" "fulfil" {
  name     = "shop-fulfil"
  role_arn = aws_iam_role.caller.arn
  publish  = true
  definition = jsonencode({
    StartAt = "Check"
    States = {
      Check = { Type = "Task", Resource = aws_lambda_function.shop["shop-report"].arn, ResultPath = null, Next = "Wait" }
      Wait  = { Type = "Wait", Seconds = 5, End = true }
    }
  })
  logging_configuration {
    level           = "ERROR"
    log_destination = "${aws_cloudwatch_log_group.access.arn}:*"
  }
}

resource "aws_apigatewayv2_api" "web" {
  name          = "shop"
  protocol_type = "HTTP"
  cors_configuration {
    allow_origins = ["https://shop.example"]
    allow_methods = ["GET", "POST"]
  }
}

resource "aws_apigatewayv2_integration" "checkout" {
  api_id                 = aws_apigatewayv2_api.web.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_alias.prod.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "checkout" {
  for_each  = toset(["GET /orders/{id}", "POST /orders"])
  api_id    = aws_apigatewayv2_api.web.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.checkout.id}"
}

resource "aws_apigatewayv2_stage" "web" {
  api_id      = aws_apigatewayv2_api.web.id
  name        = "$default"
  auto_deploy = true
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = "$context.requestId $context.status"
  }
  default_route_settings {
    throttling_burst_limit = 100
    throttling_rate_limit  = 50
  }
}

resource "aws_lambda_permission" "web" {
  statement_id  = "AllowExecutionFromAPIGateway"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_alias.prod.function_name
  qualifier     = aws_lambda_alias.prod.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.web.execution_arn}/*/*"
}

resource "aws_dynamodb_table" "orders" {
  name             = "shop-orders"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "id"
  stream_enabled   = true
  stream_view_type = "NEW_IMAGE"
  attribute {
    name = "id"
    type = "S"
  }
  ttl {
    attribute_name = "until"
    enabled        = true
  }
  point_in_time_recovery { enabled = true }
}

resource "aws_lambda_event_source_mapping" "stream" {
  function_name          = aws_lambda_function.shop["shop-report"].arn
  event_source_arn       = aws_dynamodb_table.orders.stream_arn
  starting_position      = "LATEST"
  maximum_retry_attempts = 2
}

resource "aws_s3_bucket" "uploads" {
  bucket = "shop-uploads"
}

resource "aws_s3_bucket_public_access_block" "uploads" {
  bucket                  = aws_s3_bucket.uploads.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_lambda_permission" "uploads" {
  statement_id  = "AllowExecutionFromS3Bucket"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.shop["shop-mailer"].arn
  principal     = "s3.amazonaws.com"
  source_arn    = aws_s3_bucket.uploads.arn
}

resource "aws_s3_bucket_notification" "uploads" {
  bucket = aws_s3_bucket.uploads.id
  lambda_function {
    lambda_function_arn = aws_lambda_function.shop["shop-mailer"].arn
    events              = ["s3:ObjectCreated:*"]
    filter_suffix       = ".csv"
  }
  depends_on = [aws_lambda_permission.uploads]
}

resource "aws_lambda_layer_version" "money" {
  layer_name          = "shop-money"
  filename            = var.package
  compatible_runtimes = ["python3.12"]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "shop-checkout-errors"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 10
  comparison_operator = "GreaterThanThreshold"
  dimensions          = { FunctionName = aws_lambda_function.shop["shop-checkout"].function_name }
  alarm_actions       = [aws_sns_topic.news.arn]
}

resource "aws_lambda_function_url" "mailer" {
  function_name      = aws_lambda_function.shop["shop-mailer"].function_name
  authorization_type = "NONE"
  cors {
    allow_origins = ["https://shop.example"]
    max_age       = 60
  }
}

resource "aws_lambda_function_event_invoke_config" "report" {
  function_name          = aws_lambda_function.shop["shop-report"].function_name
  maximum_retry_attempts = 1
  destination_config {
    on_failure { destination = local.queue }
  }
}
