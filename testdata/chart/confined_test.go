package chart

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// What stands in a golden is believed when it is made anew: what a render must
// mean is said here.

// container is the daemon's, and its arguments by name.
func container(t *testing.T, set string) (corev1.Container, map[string]string) {
	t.Helper()
	c := decoded(t, set)["StatefulSet"].(*appsv1.StatefulSet).Spec.Template.Spec.Containers[0]
	args := map[string]string{}
	for _, arg := range c.Args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		args[name] = value
	}
	return c, args
}

// TestTheDaemonIsAskedWhereItListens: one port, the one the daemon listens on; it
// is alive by /healthz, takes work by /readyz, and speaks as its certificate says.
func TestTheDaemonIsAskedWhereItListens(t *testing.T) {
	for _, set := range sets {
		c, args := container(t, set)
		if len(c.Ports) != 1 || c.Ports[0].Name != "http" || !strings.HasSuffix(args["listen"], ":8420") || c.Ports[0].ContainerPort != 8420 {
			t.Errorf("%s: listens on %q, and the port is %+v", set, args["listen"], c.Ports)
		}
		scheme := corev1.URISchemeHTTP
		if args["tls-cert"] != "" {
			scheme = corev1.URISchemeHTTPS
		}
		for path, probes := range map[string][]*corev1.Probe{"/healthz": {c.StartupProbe, c.LivenessProbe}, "/readyz": {c.ReadinessProbe}} {
			for _, p := range probes {
				if p == nil || p.HTTPGet == nil || p.HTTPGet.Path != path || p.HTTPGet.Port.StrVal != "http" || p.HTTPGet.Scheme != scheme {
					t.Errorf("%s: %s is asked by %+v, want %s", set, path, p, scheme)
				}
			}
		}
		objects := decoded(t, set)
		if ports := objects["Service"].(*corev1.Service).Spec.Ports; len(ports) != 1 || ports[0].Name != "http" || ports[0].TargetPort.StrVal != "http" {
			t.Errorf("%s: the service leads to %+v", set, ports)
		}
		if account, ok := objects["ServiceAccount"].(*corev1.ServiceAccount); ok && (account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken) {
			t.Errorf("%s: whoever runs as it has a token of the cluster", set)
		}
	}
}

// TestNobodyElseComesIn: the policy is about both ways; in comes who is named, or
// is of this namespace where nobody is, at the daemon's port alone; out go names,
// and ports to addresses that are none of this machine's.
func TestNobodyElseComesIn(t *testing.T) {
	for _, set := range sets {
		p, ok := decoded(t, set)["NetworkPolicy"].(*networkingv1.NetworkPolicy)
		if !ok {
			continue
		}
		if !slices.Equal(p.Spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}) {
			t.Errorf("%s: it is about %v", set, p.Spec.PolicyTypes)
		}
		for _, in := range p.Spec.Ingress {
			if len(in.Ports) != 1 || in.Ports[0].Port.StrVal != "http" || len(in.From) == 0 {
				t.Errorf("%s: in come %+v", set, in)
			}
			for _, from := range in.From {
				if from.IPBlock != nil && strings.HasSuffix(from.IPBlock.CIDR, "/0") || from.NamespaceSelector != nil && len(from.NamespaceSelector.MatchLabels)+len(from.NamespaceSelector.MatchExpressions) == 0 {
					t.Errorf("%s: everybody comes in: %+v", set, from)
				}
			}
		}
		for _, out := range p.Spec.Egress {
			names := !slices.ContainsFunc(out.Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port == nil || p.Port.IntVal != 53 })
			if len(out.Ports) == 0 || len(out.To) == 0 && !names {
				t.Errorf("%s: anything goes out by %+v", set, out)
			}
		}
	}
}

var telling = regexp.MustCompile(`(?i)token|secret|password|key`)

// TestNoSecretIsRendered: the chart makes no Secret, and takes what is secret by
// reference or as a file, never as a value or an argument.
func TestNoSecretIsRendered(t *testing.T) {
	for _, set := range sets {
		if _, made := decoded(t, set)["Secret"]; made {
			t.Errorf("%s: makes a Secret", set)
		}
		c, args := container(t, set)
		for _, e := range c.Env {
			if telling.MatchString(e.Name) && e.Value != "" {
				t.Errorf("%s: %s stands in the pod", set, e.Name)
			}
		}
		for name, value := range args {
			if telling.MatchString(name) && !strings.HasPrefix(value, "/") {
				t.Errorf("%s: --%s is no file: %q", set, name, value)
			}
		}
	}
}
