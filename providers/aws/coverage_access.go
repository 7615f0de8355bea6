package aws

import (
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// accessCoverage is roles.
func accessCoverage() []covered {
	return []covered{
		{iam.CreateRoleInput{}, map[string]string{
			"RoleName": managed, "AssumeRolePolicyDocument": managed, "Description": managed, "MaxSessionDuration": managed, "Path": managed,
			"PermissionsBoundary": managed, "Tags": managed,
		}},
		{types.Role{}, map[string]string{
			"RoleName": managed, "AssumeRolePolicyDocument": managed, "Description": managed, "MaxSessionDuration": managed, "Path": managed,
			"PermissionsBoundary": managed, "Tags": managed, "Arn": identity, "RoleId": guards, "CreateDate": readOnly, "RoleLastUsed": readOnly,
			"SourceRoleTemplate": "the template an organization made it from",
		}},
		{types.RoleDetail{}, map[string]string{
			"RoleName": managed, "AssumeRolePolicyDocument": managed, "AttachedManagedPolicies": managed, "Path": managed, "PermissionsBoundary": managed,
			"RolePolicyList": managed, "Tags": managed, "Arn": identity, "RoleId": guards, "CreateDate": readOnly, "RoleLastUsed": readOnly,
			"InstanceProfileList": "of servers",
		}},
	}
}
