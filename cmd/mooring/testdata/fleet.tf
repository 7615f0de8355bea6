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
    Statement = [{ Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], Resource = local.queue }]
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
  tracing_config { mode = "Active" }
  ephemeral_storage { size = 1024 }
  logging_config {
    log_format            = "JSON"
    application_log_level = "WARN"
    system_log_level      = "WARN"
  }
  depends_on = [aws_iam_role_policy.queue]
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
  source_arn    = "arn:aws:events:eu-west-1:111111111111:rule/nightly"
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
