# What stands around functions: a table, a stream, a workflow, an HTTP API, log
# filters and a bucket that tells a queue.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  s3_use_path_style           = true
  skip_region_validation      = true
  skip_requesting_account_id  = false
  skip_metadata_api_check     = true
  default_tags { tags = { stack = "terraform" } }
}

variable "step" { default = "one" }

locals {
  later = var.step != "one"
}

resource "aws_dynamodb_table" "orders" {
  name                        = "around-orders"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = false
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "id"
    type = "S"
  }
  attribute {
    name = "customer"
    type = "S"
  }
  global_secondary_index {
    name            = "byCustomer"
    hash_key        = "customer"
    projection_type = "KEYS_ONLY"
  }
  ttl {
    attribute_name = "until"
    enabled        = true
  }
  point_in_time_recovery { enabled = local.later }
}

resource "aws_kinesis_stream" "clicks" {
  name             = "around-clicks"
  shard_count      = 1
  retention_period = local.later ? 48 : 24
}

resource "aws_iam_role" "states" {
  name               = "around-states"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "states.amazonaws.com" } }]
  })
}

resource "aws_sfn_state_machine" "fulfil" {
  name       = "around-fulfil"
  role_arn   = aws_iam_role.states.arn
  publish    = true
  definition = jsonencode({ StartAt = "Say", States = { Say = { Type = "Pass", Result = var.step, End = true } } })
}

resource "aws_sfn_alias" "live" {
  name = "live"
  routing_configuration {
    state_machine_version_arn = aws_sfn_state_machine.fulfil.state_machine_version_arn
    weight                    = 100
  }
}

resource "aws_apigatewayv2_api" "web" {
  name          = "around-web"
  protocol_type = "HTTP"
  description   = var.step
}

resource "aws_apigatewayv2_integration" "shop" {
  api_id                 = aws_apigatewayv2_api.web.id
  integration_type       = "HTTP_PROXY"
  integration_method     = "GET"
  integration_uri        = "https://shop.example"
  payload_format_version = "1.0"
}

resource "aws_apigatewayv2_route" "shop" {
  api_id    = aws_apigatewayv2_api.web.id
  route_key = local.later ? "GET /later" : "GET /shop"
  target    = "integrations/${aws_apigatewayv2_integration.shop.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.web.id
  name        = "$default"
  auto_deploy = true
  default_route_settings {
    throttling_burst_limit = 10
    throttling_rate_limit  = 10
  }
}

resource "aws_cloudwatch_log_group" "audit" {
  name              = "around-audit"
  retention_in_days = local.later ? 30 : 7
}

resource "aws_cloudwatch_log_metric_filter" "errors" {
  name           = "errors"
  log_group_name = aws_cloudwatch_log_group.audit.name
  pattern        = "ERROR"
  metric_transformation {
    name      = "Errors"
    namespace = "Shop"
    value     = "1"
  }
}

resource "aws_sqs_queue" "uploads" { name = "around-uploads" }

resource "aws_sqs_queue_policy" "uploads" {
  queue_url = aws_sqs_queue.uploads.url
  policy    = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "s3.amazonaws.com" }, Action = "sqs:SendMessage", Resource = aws_sqs_queue.uploads.arn }]
  })
}

resource "aws_s3_bucket" "uploads" { bucket = "around-uploads" }

resource "aws_s3_bucket_notification" "uploads" {
  bucket      = aws_s3_bucket.uploads.id
  eventbridge = local.later
  queue {
    id        = "in"
    queue_arn = aws_sqs_queue.uploads.arn
    events    = ["s3:ObjectCreated:*"]
  }
  depends_on = [aws_sqs_queue_policy.uploads]
}
