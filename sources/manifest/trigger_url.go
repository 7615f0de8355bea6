package manifest

// The statements AWS wants on a URL that anybody may call.
const (
	SidURL    = "FunctionURLAllowPublicAccess"
	SidInvoke = "FunctionURLInvokeAllowPublicAccess"
)

type urlTrigger struct {
	URL urlDoc `json:"url" is:"required" doc:"A function URL."`
}

type urlDoc struct {
	AuthType   string `json:"authType" is:"required,enum=AWS_IAM|NONE" doc:"Who may call: signed requests, or everybody."`
	InvokeMode string `json:"invokeMode" is:"default=BUFFERED,enum=BUFFERED|RESPONSE_STREAM" doc:"Whether answers are streamed."`
	Cors       *Cors  `json:"cors" doc:"What browsers of other origins may do."`
	// PublicStatements of authType NONE are made along with the URL.
	PublicStatements bool `json:"publicStatements" is:"default=true" doc:"Whether authType NONE brings the two statements AWS wants for it; false leaves that to permissions."`
}

// open: anybody may call, and the statements that say so are the URL's own.
func (u *urlDoc) open() bool { return u.AuthType == "NONE" && u.PublicStatements }

func (t *urlTrigger) expand(c *children, _ string) {
	u := t.URL
	name := c.x.meta.Name
	c.x.child(Ref{KindURL, name}, "", &URLSpec{c.alias, u.AuthType, u.InvokeMode, u.Cors}, []Ref{c.front})
	if !u.open() {
		return
	}
	c.x.child(Ref{KindPermission, name + "." + SidURL}, SidURL, &PermissionSpec{
		Alias: c.alias, Action: "lambda:InvokeFunctionUrl", Principal: "*", FunctionURLAuthType: "NONE",
	}, []Ref{c.front})
	c.x.child(Ref{KindPermission, name + "." + SidInvoke}, SidInvoke, &PermissionSpec{
		Alias: c.alias, Action: "lambda:InvokeFunction", Principal: "*", InvokedViaFunctionURL: true,
	}, []Ref{c.front})
}

func (t *urlTrigger) clash() clash {
	return clash{identity: "url", message: "a function has one url, it is already", hint: "leave one of them out"}
}

func (t *urlTrigger) grant() grant { return grant{} }
