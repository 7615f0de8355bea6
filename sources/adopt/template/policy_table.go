package template

// policyTemplates are what SAM's policy templates allow, a statement a line:
// on what, and which actions. {Name} is a parameter.
var policyTemplates = map[string][]string{
	"AMIDescribePolicy":                     {"* > ec2:DescribeImages"},
	"AWSSecretsManagerGetSecretValuePolicy": {"{SecretArn} > secretsmanager:GetSecretValue"},
	"AWSSecretsManagerRotationPolicy": {
		"secretsmanager:secret:*|secretsmanager:resource/AllowRotationLambdaArn=lambda:function:{FunctionName} > secretsmanager:DescribeSecret secretsmanager:GetSecretValue secretsmanager:PutSecretValue secretsmanager:UpdateSecretVersionStage",
		"* > secretsmanager:GetRandomPassword",
	},
	"AcmGetCertificatePolicy": {"{CertificateArn} > acm:GetCertificate"},
	"AthenaQueryPolicy": {
		"* > athena:ListWorkGroups athena:GetExecutionEngine athena:GetExecutionEngines athena:GetNamespace athena:GetCatalogs athena:GetNamespaces athena:GetTables athena:GetTable",
		"athena:workgroup/{WorkGroupName} > athena:StartQueryExecution athena:GetQueryResults athena:DeleteNamedQuery athena:GetNamedQuery athena:ListQueryExecutions athena:StopQueryExecution athena:GetQueryResultsStream athena:ListNamedQueries athena:CreateNamedQuery athena:GetQueryExecution athena:BatchGetNamedQuery athena:BatchGetQueryExecution athena:GetWorkGroup",
	},
	"CloudFormationDescribeStacksPolicy":   {"cloudformation:stack/* > cloudformation:DescribeStacks"},
	"CloudWatchDashboardPolicy":            {"* > cloudwatch:GetDashboard cloudwatch:ListDashboards cloudwatch:PutDashboard cloudwatch:ListMetrics"},
	"CloudWatchDescribeAlarmHistoryPolicy": {"* > cloudwatch:DescribeAlarmHistory"},
	"CloudWatchPutMetricPolicy":            {"* > cloudwatch:PutMetricData"},
	"CodeCommitCrudPolicy": {"codecommit:{RepositoryName} > codecommit:GitPull codecommit:GitPush codecommit:CreateBranch codecommit:DeleteBranch codecommit:GetBranch codecommit:ListBranches " +
		"codecommit:MergeBranchesByFastForward codecommit:MergeBranchesBySquash codecommit:MergeBranchesByThreeWay codecommit:UpdateDefaultBranch codecommit:BatchDescribeMergeConflicts " +
		"codecommit:CreateUnreferencedMergeCommit codecommit:DescribeMergeConflicts codecommit:GetMergeCommit codecommit:GetMergeOptions codecommit:BatchGetPullRequests codecommit:CreatePullRequest " +
		"codecommit:DescribePullRequestEvents codecommit:GetCommentsForPullRequest codecommit:GetCommitsFromMergeBase codecommit:GetMergeConflicts codecommit:GetPullRequest codecommit:ListPullRequests " +
		"codecommit:MergePullRequestByFastForward codecommit:MergePullRequestBySquash codecommit:MergePullRequestByThreeWay codecommit:PostCommentForPullRequest codecommit:UpdatePullRequestDescription " +
		"codecommit:UpdatePullRequestStatus codecommit:UpdatePullRequestTitle codecommit:DeleteFile codecommit:GetBlob codecommit:GetFile codecommit:GetFolder codecommit:PutFile codecommit:DeleteCommentContent " +
		"codecommit:GetComment codecommit:GetCommentsForComparedCommit codecommit:PostCommentForComparedCommit codecommit:PostCommentReply codecommit:UpdateComment codecommit:BatchGetCommits codecommit:CreateCommit " +
		"codecommit:GetCommit codecommit:GetCommitHistory codecommit:GetDifferences codecommit:GetObjectIdentifier codecommit:GetReferences codecommit:GetTree codecommit:GetRepository " +
		"codecommit:UpdateRepositoryDescription codecommit:ListTagsForResource codecommit:TagResource codecommit:UntagResource codecommit:GetRepositoryTriggers codecommit:PutRepositoryTriggers " +
		"codecommit:TestRepositoryTriggers codecommit:UploadArchive codecommit:GetUploadArchiveStatus codecommit:CancelUploadArchive"},
	"CodeCommitReadPolicy": {"codecommit:{RepositoryName} > codecommit:GitPull codecommit:GetBranch codecommit:ListBranches codecommit:BatchDescribeMergeConflicts codecommit:DescribeMergeConflicts " +
		"codecommit:GetMergeCommit codecommit:GetMergeOptions codecommit:BatchGetPullRequests codecommit:DescribePullRequestEvents codecommit:GetCommentsForPullRequest codecommit:GetCommitsFromMergeBase " +
		"codecommit:GetMergeConflicts codecommit:GetPullRequest codecommit:ListPullRequests codecommit:GetBlob codecommit:GetFile codecommit:GetFolder codecommit:GetComment " +
		"codecommit:GetCommentsForComparedCommit codecommit:BatchGetCommits codecommit:GetCommit codecommit:GetCommitHistory codecommit:GetDifferences codecommit:GetObjectIdentifier codecommit:GetReferences " +
		"codecommit:GetTree codecommit:GetRepository codecommit:ListTagsForResource codecommit:GetRepositoryTriggers codecommit:TestRepositoryTriggers codecommit:GetUploadArchiveStatus"},
	"CodePipelineLambdaExecutionPolicy": {"* > codepipeline:PutJobSuccessResult codepipeline:PutJobFailureResult"},
	"CodePipelineReadOnlyPolicy":        {"codepipeline:{PipelineName} > codepipeline:ListPipelineExecutions"},
	"ComprehendBasicAccessPolicy": {"* > comprehend:BatchDetectKeyPhrases comprehend:DetectDominantLanguage comprehend:DetectEntities comprehend:BatchDetectEntities comprehend:DetectKeyPhrases " +
		"comprehend:DetectSentiment comprehend:BatchDetectDominantLanguage comprehend:BatchDetectSentiment"},
	"CostExplorerReadOnlyPolicy": {"* > ce:GetCostAndUsage ce:GetDimensionValues ce:GetReservationCoverage ce:GetReservationPurchaseRecommendation ce:GetReservationUtilization ce:GetTags"},
	"DynamoDBBackupFullAccessPolicy": {
		"dynamodb:table/{TableName} > dynamodb:CreateBackup dynamodb:DescribeContinuousBackups",
		"dynamodb:table/{TableName}/backup/* > dynamodb:DeleteBackup dynamodb:DescribeBackup dynamodb:ListBackups",
	},
	"DynamoDBCrudPolicy": {"dynamodb:table/{TableName} dynamodb:table/{TableName}/index/* > dynamodb:GetItem dynamodb:DeleteItem dynamodb:PutItem dynamodb:Scan dynamodb:Query dynamodb:UpdateItem " +
		"dynamodb:BatchWriteItem dynamodb:BatchGetItem dynamodb:DescribeTable dynamodb:ConditionCheckItem"},
	"DynamoDBReadPolicy":        {"dynamodb:table/{TableName} dynamodb:table/{TableName}/index/* > dynamodb:GetItem dynamodb:Scan dynamodb:Query dynamodb:BatchGetItem dynamodb:DescribeTable"},
	"DynamoDBReconfigurePolicy": {"dynamodb:table/{TableName} > dynamodb:UpdateTable"},
	"DynamoDBRestoreFromBackupPolicy": {
		"dynamodb:table/{TableName}/backup/* > dynamodb:RestoreTableFromBackup",
		"dynamodb:table/{TableName} > dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:Query dynamodb:Scan dynamodb:BatchWriteItem",
	},
	"DynamoDBStreamReadPolicy": {
		"dynamodb:table/{TableName}/stream/{StreamName} > dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator",
		"dynamodb:table/{TableName}/stream/* > dynamodb:ListStreams",
	},
	"DynamoDBWritePolicy":                            {"dynamodb:table/{TableName} dynamodb:table/{TableName}/index/* > dynamodb:PutItem dynamodb:UpdateItem dynamodb:BatchWriteItem"},
	"EC2CopyImagePolicy":                             {"ec2:image/{ImageId} > ec2:CopyImage"},
	"EC2DescribePolicy":                              {"* > ec2:DescribeRegions ec2:DescribeInstances"},
	"EFSWriteAccessPolicy":                           {"elasticfilesystem:file-system/{FileSystem}|elasticfilesystem:AccessPointArn=elasticfilesystem:access-point/{AccessPoint} > elasticfilesystem:ClientMount elasticfilesystem:ClientWrite"},
	"EcsRunTaskPolicy":                               {"ecs:task-definition/{TaskDefinition} > ecs:RunTask"},
	"ElasticMapReduceAddJobFlowStepsPolicy":          {"elasticmapreduce:cluster/{ClusterId} > elasticmapreduce:AddJobFlowSteps"},
	"ElasticMapReduceCancelStepsPolicy":              {"elasticmapreduce:cluster/{ClusterId} > elasticmapreduce:CancelSteps"},
	"ElasticMapReduceModifyInstanceFleetPolicy":      {"elasticmapreduce:cluster/{ClusterId} > elasticmapreduce:ModifyInstanceFleet elasticmapreduce:ListInstanceFleets"},
	"ElasticMapReduceModifyInstanceGroupsPolicy":     {"elasticmapreduce:cluster/{ClusterId} > elasticmapreduce:ModifyInstanceGroups elasticmapreduce:ListInstanceGroups"},
	"ElasticMapReduceSetTerminationProtectionPolicy": {"elasticmapreduce:cluster/{ClusterId} > elasticmapreduce:SetTerminationProtection"},
	"ElasticMapReduceTerminateJobFlowsPolicy":        {"elasticmapreduce:cluster/{ClusterId} > elasticmapreduce:TerminateJobFlows"},
	"EKSDescribePolicy":                              {"* > eks:DescribeCluster eks:ListClusters"},
	"ElasticsearchHttpPostPolicy":                    {"es:domain/{DomainName}/* > es:ESHttpPost es:ESHttpPut"},
	"EventBridgePutEventsPolicy":                     {"events:event-bus/{EventBusName} > events:PutEvents"},
	"FilterLogEventsPolicy":                          {"logs:log-group:{LogGroupName}:log-stream:* > logs:FilterLogEvents"},
	"FirehoseCrudPolicy": {"firehose:deliverystream/{DeliveryStreamName} > firehose:CreateDeliveryStream firehose:DeleteDeliveryStream firehose:DescribeDeliveryStream firehose:PutRecord " +
		"firehose:PutRecordBatch firehose:UpdateDestination"},
	"FirehoseWritePolicy": {"firehose:deliverystream/{DeliveryStreamName} > firehose:PutRecord firehose:PutRecordBatch"},
	"KMSDecryptPolicy":    {"kms:key/{KeyId} > kms:Decrypt"},
	"KMSEncryptPolicy":    {"kms:key/{KeyId} > kms:Encrypt"},
	"KMSEncryptPolicy_v2": {"kms:key/{KeyId} > kms:Encrypt kms:GenerateDataKey kms:GenerateDataKeyWithoutPlaintext kms:GenerateDataKeyPair kms:GenerateDataKeyPairWithoutPlaintext"},
	"KinesisCrudPolicy": {"kinesis:stream/{StreamName} > kinesis:AddTagsToStream kinesis:CreateStream kinesis:DecreaseStreamRetentionPeriod kinesis:DeleteStream kinesis:DescribeStream " +
		"kinesis:DescribeStreamSummary kinesis:GetShardIterator kinesis:IncreaseStreamRetentionPeriod kinesis:ListTagsForStream kinesis:MergeShards kinesis:PutRecord kinesis:PutRecords kinesis:SplitShard kinesis:RemoveTagsFromStream"},
	"KinesisStreamReadPolicy": {
		"kinesis:stream/* > kinesis:ListStreams kinesis:DescribeLimits",
		"kinesis:stream/{StreamName} > kinesis:DescribeStream kinesis:DescribeStreamSummary kinesis:GetRecords kinesis:GetShardIterator",
	},
	"LambdaInvokePolicy":                   {"lambda:function:{FunctionName}* > lambda:InvokeFunction"},
	"MobileAnalyticsWriteOnlyAccessPolicy": {"* > mobileanalytics:PutEvents"},
	"OrganizationsListAccountsPolicy":      {"* > organizations:ListAccounts"},
	"PinpointEndpointAccessPolicy":         {"mobiletargeting:apps/{PinpointApplicationId}/endpoints/* > mobiletargeting:GetEndpoint mobiletargeting:UpdateEndpoint mobiletargeting:UpdateEndpointsBatch"},
	"PollyFullAccessPolicy": {
		"polly:lexicon/{LexiconName} > polly:GetLexicon polly:DeleteLexicon",
		"polly:lexicon/* > polly:DescribeVoices polly:ListLexicons polly:PutLexicon polly:SynthesizeSpeech",
	},
	"RekognitionDetectOnlyPolicy":      {"* > rekognition:DetectFaces rekognition:DetectLabels rekognition:DetectModerationLabels rekognition:DetectText"},
	"RekognitionFacesManagementPolicy": {"rekognition:collection/{CollectionId} > rekognition:IndexFaces rekognition:DeleteFaces rekognition:SearchFaces rekognition:SearchFacesByImage rekognition:ListFaces"},
	"RekognitionFacesPolicy":           {"* > rekognition:CompareFaces rekognition:DetectFaces"},
	"RekognitionLabelsPolicy":          {"* > rekognition:DetectLabels rekognition:DetectModerationLabels"},
	"RekognitionNoDataAccessPolicy":    {"rekognition:collection/{CollectionId} > rekognition:CompareFaces rekognition:DetectFaces rekognition:DetectLabels rekognition:DetectModerationLabels"},
	"RekognitionReadPolicy":            {"rekognition:collection/{CollectionId} > rekognition:ListCollections rekognition:ListFaces rekognition:SearchFaces rekognition:SearchFacesByImage"},
	"RekognitionWriteOnlyAccessPolicy": {"rekognition:collection/{CollectionId} > rekognition:CreateCollection rekognition:IndexFaces"},
	"Route53ChangeResourceRecordSetsPolicy": {
		"route53:::hostedzone/{HostedZoneId} > route53:ChangeResourceRecordSets",
	},
	"S3CrudPolicy": {"s3:::{BucketName} s3:::{BucketName}/* > s3:GetObject s3:ListBucket s3:GetBucketLocation s3:GetObjectVersion s3:PutObject s3:PutObjectAcl s3:GetLifecycleConfiguration " +
		"s3:PutLifecycleConfiguration s3:DeleteObject"},
	"S3FullAccessPolicy": {
		"s3:::{BucketName}/* > s3:GetObject s3:GetObjectAcl s3:GetObjectVersion s3:PutObject s3:PutObjectAcl s3:DeleteObject s3:DeleteObjectTagging s3:DeleteObjectVersionTagging s3:GetObjectTagging s3:GetObjectVersionTagging s3:PutObjectTagging s3:PutObjectVersionTagging",
		"s3:::{BucketName} > s3:ListBucket s3:GetBucketLocation s3:GetLifecycleConfiguration s3:PutLifecycleConfiguration",
	},
	"S3ReadPolicy":               {"s3:::{BucketName} s3:::{BucketName}/* > s3:GetObject s3:ListBucket s3:GetBucketLocation s3:GetObjectVersion s3:GetLifecycleConfiguration"},
	"S3WritePolicy":              {"s3:::{BucketName} s3:::{BucketName}/* > s3:PutObject s3:PutObjectAcl s3:PutLifecycleConfiguration"},
	"SESBulkTemplatedCrudPolicy": {"ses:identity/{IdentityName} > ses:GetIdentityVerificationAttributes ses:SendEmail ses:SendRawEmail ses:SendTemplatedEmail ses:SendBulkTemplatedEmail ses:VerifyEmailIdentity"},
	"SESBulkTemplatedCrudPolicy_v2": {
		"ses:identity/{IdentityName} ses:template/{TemplateName} > ses:SendEmail ses:SendRawEmail ses:SendTemplatedEmail ses:SendBulkTemplatedEmail",
		"* > ses:GetIdentityVerificationAttributes ses:VerifyEmailIdentity",
	},
	"SageMakerCreateEndpointConfigPolicy": {"sagemaker:endpoint-config/{EndpointConfigName} > sagemaker:CreateEndpointConfig"},
	"SageMakerCreateEndpointPolicy":       {"sagemaker:endpoint/{EndpointName} > sagemaker:CreateEndpoint"},
	"StepFunctionsCallbackPolicy":         {"states:stateMachine:{StateMachineName} > states:SendTaskFailure states:SendTaskHeartbeat states:SendTaskSuccess"},
	"SESCrudPolicy":                       {"ses:identity/{IdentityName} > ses:GetIdentityVerificationAttributes ses:SendEmail ses:SendRawEmail ses:VerifyEmailIdentity"},
	"SESEmailTemplateCrudPolicy":          {"* > ses:CreateTemplate ses:GetTemplate ses:ListTemplates ses:UpdateTemplate ses:DeleteTemplate ses:TestRenderTemplate"},
	"SESSendBouncePolicy":                 {"ses:identity/{IdentityName} > ses:SendBounce"},
	"SNSCrudPolicy":                       {"sns:{TopicName}* > sns:ListSubscriptionsByTopic sns:CreateTopic sns:SetTopicAttributes sns:Subscribe sns:Publish"},
	"SNSPublishMessagePolicy":             {"sns:{TopicName} > sns:Publish"},
	"SQSPollerPolicy":                     {"sqs:{QueueName} > sqs:ChangeMessageVisibility sqs:ChangeMessageVisibilityBatch sqs:DeleteMessage sqs:DeleteMessageBatch sqs:GetQueueAttributes sqs:ReceiveMessage"},
	"SQSSendMessagePolicy":                {"sqs:{QueueName} > sqs:SendMessage*"},
	"SSMParameterReadPolicy": {
		"* > ssm:DescribeParameters",
		"ssm:parameter/{ParameterName} > ssm:GetParameters ssm:GetParameter ssm:GetParametersByPath",
	},
	"SSMParameterWithSlashPrefixReadPolicy": {
		"* > ssm:DescribeParameters",
		"ssm:parameter{ParameterName} > ssm:GetParameters ssm:GetParameter ssm:GetParametersByPath",
	},
	"ServerlessRepoReadWriteAccessPolicy": {"serverlessrepo:applications/* > serverlessrepo:CreateApplication serverlessrepo:CreateApplicationVersion serverlessrepo:UpdateApplication " +
		"serverlessrepo:GetApplication serverlessrepo:ListApplications serverlessrepo:ListApplicationVersions serverlessrepo:ListApplicationDependencies"},
	"StepFunctionsExecutionPolicy": {"states:stateMachine:{StateMachineName} > states:StartExecution"},
	"TextractDetectAnalyzePolicy":  {"* > textract:DetectDocumentText textract:StartDocumentTextDetection textract:StartDocumentAnalysis textract:AnalyzeDocument"},
	"TextractGetResultPolicy":      {"* > textract:GetDocumentTextDetection textract:GetDocumentAnalysis"},
	"TextractPolicy":               {"* > textract:*"},
	"VPCAccessPolicy":              {"* > ec2:CreateNetworkInterface ec2:DeleteNetworkInterface ec2:DescribeNetworkInterfaces ec2:DetachNetworkInterface"},
}
