package manifest

import "strings"

// bucketTrigger is an entry of a bucket's notifications, and the bucket's
// permission to call the alias.
type bucketTrigger struct {
	Bucket        Value              `json:"bucket" is:"required,target,kinds=Bucket" doc:"The bucket, as Bucket/uploads, or an ARN."`
	Events        []string           `json:"events" is:"required,minitems=1,maxitems=50,match=bucketEvent" doc:"What is told, as s3:ObjectCreated:*."`
	Filter        notificationFilter `json:"filter" doc:"Which keys it is told of."`
	SourceAccount string             `json:"sourceAccount" is:"match=account" doc:"The account the bucket must belong to, so that nobody else's of the same name may call. Default: the account of the environment, where it is declared."`
	Permission    bool               `json:"permission" is:"default=true" doc:"Whether the statement that lets the bucket invoke comes along; false leaves that to permissions."`
	ID            string             `json:"id" is:"maxlen=255" doc:"The Id of the entry in the bucket's notifications. Default: the function's physical name and the trigger's key."`
}

type notificationFilter struct {
	Prefix string `json:"prefix" is:"maxlen=1024" doc:"How a key begins."`
	Suffix string `json:"suffix" is:"maxlen=1024" doc:"How a key ends."`
}

func (t *bucketTrigger) check(d *decoder, n *node) {
	if arn := t.Bucket.Literal; arn != "" && !patterns["bucketArn"].re.MatchString(arn) {
		d.fault(n.get("bucket").pos(), "is no ARN of a bucket", "want "+patterns["bucketArn"].want)
	}
}

func (t *bucketTrigger) expand(c *children, key string) {
	name := c.x.meta.Name + "." + key
	spec := &NotificationSpec{
		ID: t.ID, Function: Value{Ref: c.front}, Bucket: bucketName(t.Bucket), Events: sortedUnique(t.Events), Prefix: t.Filter.Prefix, Suffix: t.Filter.Suffix,
	}
	refs := targets(c.front, &spec.Bucket)
	if t.Permission {
		refs = append(refs, t.permit(c, key)) // S3 asks whether it may call before it takes an entry
	}
	c.x.child(Ref{KindNotification, name}, key, spec, refs)
}

// permit adds the permission of the bucket to invoke the alias.
func (t *bucketTrigger) permit(c *children, key string) Ref {
	grant := &PermissionSpec{
		Alias: c.alias, Action: "lambda:InvokeFunction", Principal: "s3.amazonaws.com", SourceArn: t.Bucket,
		SourceAccount: t.SourceAccount,
	}
	if grant.SourceAccount == "" {
		grant.SourceAccount = c.x.settings.account
	}
	permission := Ref{KindPermission, c.x.meta.Name + "." + key}
	c.x.child(permission, key, grant, targets(c.front, &grant.SourceArn))
	return permission
}

// bucketName is the name of what is named by reference or by ARN.
func bucketName(v Value) Value {
	if v.Ref != (Ref{}) {
		return Value{Ref: v.Ref, Attribute: "name"}
	}
	return Value{Literal: v.Literal[strings.LastIndexByte(v.Literal, ':')+1:]}
}

// clash is none: S3 itself refuses entries that overlap.
func (t *bucketTrigger) clash() clash { return clash{} }

func (t *bucketTrigger) grant() grant { return grant{} }
