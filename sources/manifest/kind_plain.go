package manifest

// Secret and Parameter say that something must exist. Their names are
// literal, and their values are never read.

func secretKind() *kind {
	return newKind[SecretSpec](kind{
		name:       KindSecret,
		summary:    "A secret that must exist. Its value is never read.",
		nameRule:   rule{required: true, maxLen: 512, match: patterns["secretName"]},
		attributes: []string{"arn", "name"},
		noSpec:     true,
		expand:     func(x *expansion) { x.top(&SecretSpec{}, nil) },
		example: `apiVersion: mooring.dev/v1
kind: Secret
metadata: {name: shop/stripe}
`,
	})
}

func parameterKind() *kind {
	return newKind[ParameterSpec](kind{
		name:       KindParameter,
		summary:    "A parameter of Systems Manager that must exist. Its value is never read.",
		nameRule:   rule{required: true, maxLen: 1011, match: patterns["parameter"]},
		attributes: []string{"arn", "name"},
		noSpec:     true,
		expand:     func(x *expansion) { x.top(&ParameterSpec{}, nil) },
		example: `apiVersion: mooring.dev/v1
kind: Parameter
metadata: {name: /shop/rates}
`,
	})
}
