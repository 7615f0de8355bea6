# The fleet as terraform would hold it: what the daemon deployed is imported,
# and refreshed as it lives.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  skip_credentials_validation = true
  skip_region_validation      = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variable "size" { type = number }
variable "queues" { type = string } # what the URL of a queue begins with

locals {
  names    = toset([for i in range(var.size) : format("production-f%04d", i)])
  mappings = jsondecode(file("${path.module}/mappings.json")) # UUID by function
  trust    = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }] })
}

resource "aws_lambda_function" "f" {
  for_each      = local.names
  function_name = each.key
  role          = "arn:aws:iam::111111111111:role/${each.key}"
  runtime       = "provided.al2023"
  handler       = "bootstrap"
  filename      = "${path.module}/code.zip"
  lifecycle { ignore_changes = all }
}

resource "aws_lambda_alias" "live" {
  for_each         = local.names
  name             = "live"
  function_name    = each.key
  function_version = "1"
  lifecycle { ignore_changes = all }
}

resource "aws_lambda_permission" "shop" {
  for_each      = local.names
  statement_id  = "shop-api"
  action        = "lambda:InvokeFunction"
  function_name = each.key
  qualifier     = "live"
  principal     = "apigateway.amazonaws.com"
  lifecycle { ignore_changes = all }
}

resource "aws_lambda_event_source_mapping" "orders" {
  for_each         = local.names
  function_name    = "${each.key}:live"
  event_source_arn = "arn:aws:sqs:eu-west-1:111111111111:${each.key}-q"
  lifecycle { ignore_changes = all }
}

resource "aws_iam_role" "f" {
  for_each           = local.names
  name               = each.key
  assume_role_policy = local.trust
  lifecycle { ignore_changes = all }
}

resource "aws_iam_role_policy" "f" {
  for_each = local.names
  name     = "mooring"
  role     = each.key
  policy   = jsonencode({ Version = "2012-10-17", Statement = [] })
  lifecycle { ignore_changes = all }
}

resource "aws_sqs_queue" "q" {
  for_each = local.names
  name     = "${each.key}-q"
  lifecycle { ignore_changes = all }
}

resource "aws_sqs_queue" "d" {
  for_each = local.names
  name     = "${each.key}-d"
  lifecycle { ignore_changes = all }
}

resource "aws_cloudwatch_log_group" "f" {
  for_each = local.names
  name     = "/aws/lambda/${each.key}"
  lifecycle { ignore_changes = all }
}

import {
  for_each = local.names
  to       = aws_lambda_function.f[each.key]
  id       = each.key
}

import {
  for_each = local.names
  to       = aws_lambda_alias.live[each.key]
  id       = "${each.key}/live"
}

import {
  for_each = local.names
  to       = aws_lambda_permission.shop[each.key]
  id       = "${each.key}:live/shop-api"
}

import {
  for_each = local.names
  to       = aws_lambda_event_source_mapping.orders[each.key]
  id       = local.mappings[each.key]
}

import {
  for_each = local.names
  to       = aws_iam_role.f[each.key]
  id       = each.key
}

import {
  for_each = local.names
  to       = aws_iam_role_policy.f[each.key]
  id       = "${each.key}:mooring"
}

import {
  for_each = local.names
  to       = aws_sqs_queue.q[each.key]
  id       = "${var.queues}${each.key}-q"
}

import {
  for_each = local.names
  to       = aws_sqs_queue.d[each.key]
  id       = "${var.queues}${each.key}-d"
}

import {
  for_each = local.names
  to       = aws_cloudwatch_log_group.f[each.key]
  id       = "/aws/lambda/${each.key}"
}
