package chart

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// serviceMonitor and prometheusRule are what the Prometheus operator's
// documentation has of the fields used here.
type serviceMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port     string `json:"port"`
			Path     string `json:"path"`
			Interval string `json:"interval"`
			Scheme   string `json:"scheme,omitempty"`
			TLS      *struct {
				ServerName         string `json:"serverName,omitempty"`
				InsecureSkipVerify bool   `json:"insecureSkipVerify,omitempty"`
			} `json:"tlsConfig,omitempty"`
		} `json:"endpoints"`
	} `json:"spec"`
}

type prometheusRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []struct {
				Alert       string            `json:"alert"`
				Expr        string            `json:"expr"`
				For         string            `json:"for,omitempty"`
				Labels      map[string]string `json:"labels"`
				Annotations map[string]string `json:"annotations"`
			} `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

// decoded are a set's objects by kind, each read strictly as what it says it is.
func decoded(t *testing.T, set string) map[string]any {
	t.Helper()
	rendered, err := render(valuesOf(t, set))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for _, text := range objects(rendered) {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(text), &kind); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		into := typeOf(kind)
		if into == nil {
			t.Fatalf("no type for %s %s", kind.APIVersion, kind.Kind)
		}
		if err := strictly(text, into); err != nil {
			t.Errorf("%s: %v:\n%s", kind.Kind, err, text)
		}
		checkMeta(t, into.(metav1.Object))
		out[kind.Kind] = into
	}
	return out
}

// strictly reads as Kubernetes does: a name in other letters is another name.
func strictly(text string, into any) error {
	data, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return err
	}
	faults, err := json.UnmarshalStrict(data, into)
	return errors.Join(append(faults, err)...)
}

func typeOf(kind metav1.TypeMeta) any {
	switch kind.APIVersion + "/" + kind.Kind {
	case "apps/v1/StatefulSet":
		return &appsv1.StatefulSet{}
	case "v1/Service":
		return &corev1.Service{}
	case "v1/ServiceAccount":
		return &corev1.ServiceAccount{}
	case "v1/ConfigMap":
		return &corev1.ConfigMap{}
	case "v1/PersistentVolumeClaim":
		return &corev1.PersistentVolumeClaim{}
	case "networking.k8s.io/v1/Ingress":
		return &networkingv1.Ingress{}
	case "networking.k8s.io/v1/NetworkPolicy":
		return &networkingv1.NetworkPolicy{}
	case "monitoring.coreos.com/v1/ServiceMonitor":
		return &serviceMonitor{}
	case "monitoring.coreos.com/v1/PrometheusRule":
		return &prometheusRule{}
	}
	return nil
}

func checkMeta(t *testing.T, o metav1.Object) {
	t.Helper()
	if faults := validation.IsDNS1123Subdomain(o.GetName()); len(faults) > 0 {
		t.Errorf("name %q: %v", o.GetName(), faults)
	}
	if o.GetNamespace() != "gitops" {
		t.Errorf("%s is in the namespace %q", o.GetName(), o.GetNamespace())
	}
	for key, value := range o.GetLabels() {
		if faults := slices.Concat(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)); len(faults) > 0 {
			t.Errorf("label %s: %s: %v", key, value, faults)
		}
	}
	if o.GetLabels()["app.kubernetes.io/instance"] != "mooring" {
		t.Errorf("%s has no label of its release", o.GetName())
	}
}

func TestLesson81ObjectsAreConfined(t *testing.T) {
	kinds := map[string][]string{
		"default":    {"NetworkPolicy", "PersistentVolumeClaim", "Service", "ServiceAccount", "StatefulSet"},
		"minimal":    {"Service", "StatefulSet"},
		"irsa":       {"NetworkPolicy", "PersistentVolumeClaim", "Service", "ServiceAccount", "StatefulSet"},
		"production": {"ConfigMap", "Ingress", "NetworkPolicy", "PersistentVolumeClaim", "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor", "StatefulSet"},
		"everything": {"ConfigMap", "Ingress", "NetworkPolicy", "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor", "StatefulSet"},
	}
	for _, set := range sets {
		t.Run(set, func(t *testing.T) {
			got := decoded(t, set)
			if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, kinds[set]) {
				t.Errorf("has %v, want %v", names, kinds[set])
			}
			daemon := got["StatefulSet"].(*appsv1.StatefulSet)
			checkPod(t, daemon)
			selects := daemon.Spec.Template.Labels
			if s := got["Service"].(*corev1.Service); !within(s.Spec.Selector, selects) || s.Spec.Ports[0].TargetPort.StrVal != "http" {
				t.Errorf("the service does not lead to the pod: %v", s.Spec)
			}
			if p, ok := got["NetworkPolicy"].(*networkingv1.NetworkPolicy); ok && !within(p.Spec.PodSelector.MatchLabels, selects) {
				t.Errorf("the network policy is about other pods: %v", p.Spec.PodSelector)
			}
			if m, ok := got["ServiceMonitor"].(*serviceMonitor); ok && !within(m.Spec.Selector.MatchLabels, got["Service"].(*corev1.Service).Labels) {
				t.Errorf("the monitor does not find the service: %v", m.Spec.Selector)
			}
		})
	}
}

func within(some, all map[string]string) bool {
	for k, v := range some {
		if all[k] != v {
			return false
		}
	}
	return len(some) > 0
}

// checkPod holds a pod against the restricted profile of pod security, and
// its mounts against its volumes.
func checkPod(t *testing.T, daemon *appsv1.StatefulSet) {
	t.Helper()
	spec := daemon.Spec.Template.Spec
	if *daemon.Spec.Replicas != 1 || len(spec.Containers) != 1 {
		t.Fatalf("%d replicas of %d containers", *daemon.Spec.Replicas, len(spec.Containers))
	}
	if grace := spec.TerminationGracePeriodSeconds; grace == nil || *grace < 30 {
		t.Error("the daemon is not given the time it takes to stop")
	}
	c, pod := spec.Containers[0], spec.SecurityContext
	switch {
	case pod == nil || pod.RunAsNonRoot == nil || !*pod.RunAsNonRoot || pod.RunAsUser == nil || *pod.RunAsUser == 0 || pod.FSGroup == nil:
		t.Error("may run as root")
	case pod.SeccompProfile == nil || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		t.Error("system calls are not confined")
	case c.SecurityContext == nil || c.SecurityContext.AllowPrivilegeEscalation == nil || *c.SecurityContext.AllowPrivilegeEscalation:
		t.Error("may gain privileges")
	case c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem:
		t.Error("may write its image")
	case c.SecurityContext.Capabilities == nil || !slices.Equal(c.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(c.SecurityContext.Capabilities.Add) > 0:
		t.Error("keeps capabilities")
	case spec.HostNetwork || spec.HostPID || spec.HostIPC || spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken:
		t.Error("has a part of the node, or a token of the cluster")
	}
	volumes := map[string]bool{}
	for _, v := range spec.Volumes {
		if v.HostPath != nil || volumes[v.Name] {
			t.Errorf("volume %s is of the node, or twice", v.Name)
		}
		volumes[v.Name] = true
	}
	places := map[string]bool{}
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] || places[m.MountPath] {
			t.Errorf("%s is mounted at %s", m.Name, m.MountPath)
		}
		places[m.MountPath] = true
		delete(volumes, m.Name)
	}
	if len(volumes) > 0 {
		t.Errorf("volumes that are mounted nowhere: %v", volumes)
	}
	for _, arg := range c.Args {
		if path, ok := strings.CutPrefix(arg[strings.Index(arg, "=")+1:], "/etc/mooring/"); ok && !places["/etc/mooring/"+path[:strings.LastIndex(path, "/")]] {
			t.Errorf("%s: nothing is mounted there", arg)
		}
	}
}

// TestNoCredentialsOfTheNode: what hands out a machine's credentials is
// reached only where it was asked for.
func TestNoCredentialsOfTheNode(t *testing.T) {
	policy := decoded(t, "default")["NetworkPolicy"].(*networkingv1.NetworkPolicy)
	for _, rule := range policy.Spec.Egress {
		for _, to := range rule.To {
			if to.IPBlock != nil && to.IPBlock.CIDR == "0.0.0.0/0" && !slices.Contains(to.IPBlock.Except, "169.254.0.0/16") {
				t.Errorf("the metadata service is reached: %v", rule)
			}
		}
	}
	agent := func(set string) bool {
		p := decoded(t, set)["NetworkPolicy"].(*networkingv1.NetworkPolicy)
		return slices.ContainsFunc(p.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool {
			return slices.ContainsFunc(r.To, func(to networkingv1.NetworkPolicyPeer) bool {
				return to.IPBlock != nil && to.IPBlock.CIDR == "169.254.170.23/32"
			})
		})
	}
	if agent("default") || !agent("production") {
		t.Error("Pod Identity's agent is reached where it was not asked for, or not where it was")
	}
}

// TestAlertsOfTheRule: without takes alerts out, and the schema names all.
func TestAlertsOfTheRule(t *testing.T) {
	names := func(set string) []string {
		var out []string
		for _, g := range decoded(t, set)["PrometheusRule"].(*prometheusRule).Spec.Groups {
			for _, r := range g.Rules {
				out = append(out, r.Alert)
			}
		}
		return slices.Sorted(slices.Values(out))
	}
	var schema struct {
		Properties struct {
			Metrics struct {
				Properties struct {
					PrometheusRule struct {
						Properties struct {
							Without struct {
								Items struct{ Enum []string }
							}
						}
					}
				}
			}
		}
	}
	read(t, "values.schema.json", &schema)
	all := names("production")
	if known := schema.Properties.Metrics.Properties.PrometheusRule.Properties.Without.Items.Enum; !slices.Equal(slices.Sorted(slices.Values(known)), all) {
		t.Errorf("the schema knows the alerts %v; there are %v", known, all)
	}
	left := slices.DeleteFunc(all, func(n string) bool { return n == "MooringHoldForgotten" || n == "MooringCallsThrottled" })
	if some := names("everything"); !slices.Equal(some, left) {
		t.Errorf("left are %v, want %v", some, left)
	}
}
