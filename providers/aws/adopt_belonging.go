package aws

import (
	"regexp"

	"mooring.dev/sources/manifest"
)

// belonging is a name that tells that a thing is AWS's own, or holds the state
// of a tool: nothing a repository of applications would declare.
type belonging struct {
	kind string
	name *regexp.Regexp
	why  string
}

type belongingTable []belonging

// to says whose a thing is by its name; "" when nothing tells.
func (t belongingTable) to(kind, name string) string {
	for i := range t {
		if t[i].kind == kind && t[i].name.MatchString(name) {
			return t[i].why
		}
	}
	return ""
}

var belongings = belongingTable{
	{manifest.KindRole, regexp.MustCompile(`^AWSReservedSSO_`), "of IAM Identity Center, which keeps it for itself"},
	{manifest.KindRole, regexp.MustCompile(`^(AWSControlTower|aws-controltower-)`), "of Control Tower, which keeps it for itself"},
	{manifest.KindRole, regexp.MustCompile(`^(AWSCloudFormationStackSet|stacksets-exec-)`), "of CloudFormation's stack sets"},
	{manifest.KindRole, regexp.MustCompile(`^OrganizationAccountAccessRole$`), "of the organization"},
	{manifest.KindRole, regexp.MustCompile(`^cdk-[a-z0-9]+-(deploy|file-publishing|image-publishing|lookup|cfn-exec)-role-`), "of the CDK's bootstrap"},
	{manifest.KindBucket, regexp.MustCompile(`^(cdk-[a-z0-9]+-assets-|cdktoolkit-)`), "of the CDK's bootstrap: it holds what stacks are deployed from"},
	{manifest.KindBucket, regexp.MustCompile(`^(cf-templates-|aws-sam-cli-managed-|awsserverlessrepo-)`), "holds what CloudFormation or SAM deploys from"},
	{manifest.KindBucket, regexp.MustCompile(`serverlessdeploymentbuck|^sst-(asset|state)-`), "holds what a framework deploys from"},
	{manifest.KindBucket, regexp.MustCompile(`(^|[.-])(tf|terraform|tofu|opentofu|pulumi)-?state|tfstate`), "holds the state of a tool"},
	{manifest.KindBucket, regexp.MustCompile(`^(aws-cloudtrail-logs-|config-bucket-|elasticbeanstalk-|aws-glue-|sagemaker-|codepipeline-|aws-athena-query-results-)`), "made by an AWS service for itself"},
	{manifest.KindTable, regexp.MustCompile(`(?i)(^|[._-])(tf|terraform|tofu|opentofu)[._-]?(state[._-]?)?locks?([._-]|$)`), "holds the locks of a tool's state"},
	{manifest.KindRule, regexp.MustCompile(`^(AutoScalingManagedRule|DO-NOT-DELETE-)`), "made by an AWS service for itself"},
	{manifest.KindAlarm, regexp.MustCompile(`^(TargetTracking-|awseb-)`), "made by an AWS service for itself, to scale by"},
	{manifest.KindLogGroup, regexp.MustCompile(`^/aws/apigateway/welcome$`), "made by API Gateway for itself"},
}
