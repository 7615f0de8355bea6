package chart

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
)

// renderedBy is what a later version of the chart renders, at some revision of
// a release.
func renderedBy(t *testing.T, version string, o common.ReleaseOptions, values map[string]any) []string {
	t.Helper()
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	c.Metadata.Version, c.Metadata.AppVersion = version, version
	o.Name, o.Namespace = "mooring", "gitops"
	all, err := util.ToRenderValues(c, values, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := engine.Render(c, all)
	if err != nil {
		t.Fatal(err)
	}
	return objects(rendered)
}

// TestLesson82UpgradesAndRollsBack: what Kubernetes lets nobody change stays as it
// is from one set of values to any other and with the chart's version, and the
// same values render the same objects at every revision, so that a rollback
// brings back what there was.
func TestLesson82UpgradesAndRollsBack(t *testing.T) {
	type fixed struct {
		names    map[string]string // by kind
		selector *metav1.LabelSelector
		service  string
		pods     appsv1.PodManagementPolicyType
		claims   []corev1.PersistentVolumeClaim
		leads    map[string]string
	}
	of := func(objects map[string]any) fixed {
		daemon, service := objects["StatefulSet"].(*appsv1.StatefulSet), objects["Service"].(*corev1.Service)
		f := fixed{map[string]string{}, daemon.Spec.Selector, daemon.Spec.ServiceName, daemon.Spec.PodManagementPolicy, daemon.Spec.VolumeClaimTemplates, service.Spec.Selector}
		for _, kind := range []string{"StatefulSet", "Service"} {
			f.names[kind] = objects[kind].(metav1.Object).GetName()
		}
		return f
	}
	want := of(decoded(t, "default"))
	for _, set := range sets {
		if got := of(decoded(t, set)); !reflect.DeepEqual(got, want) {
			t.Errorf("from the default values to %s there is no upgrade: %+v, then %+v", set, want, got)
		}
		values := func() map[string]any { return valuesOf(t, set) }
		first := renderedBy(t, "1.0.0", common.ReleaseOptions{Revision: 1, IsInstall: true}, values())
		if back := renderedBy(t, "1.0.0", common.ReleaseOptions{Revision: 3, IsUpgrade: true}, values()); !slices.Equal(first, back) {
			t.Errorf("%s: a rollback brings other objects than there were", set)
		}
		old, later := daemonOf(first), daemonOf(renderedBy(t, "2.0.0", common.ReleaseOptions{Revision: 2, IsUpgrade: true}, values()))
		if old.Kind != "StatefulSet" || !reflect.DeepEqual(old.Spec.Selector, later.Spec.Selector) || !reflect.DeepEqual(old.Spec.VolumeClaimTemplates, later.Spec.VolumeClaimTemplates) {
			t.Errorf("%s: another version of the chart selects %v, and not %v", set, later.Spec.Selector, old.Spec.Selector)
		}
	}
}

func daemonOf(objects []string) appsv1.StatefulSet {
	for _, text := range objects {
		var d appsv1.StatefulSet
		if strictly(text, &d) == nil && d.Kind == "StatefulSet" {
			return d
		}
	}
	return appsv1.StatefulSet{}
}

// TestLesson82RemovalLeavesTheJournalAlone: nothing runs before or after, nothing
// waits to be let go, no lease is made, everything is in the namespace of the
// release; what stays behind is the claim with the journal, on purpose.
func TestLesson82RemovalLeavesTheJournalAlone(t *testing.T) {
	for _, set := range sets {
		objects := decoded(t, set)
		for _, kind := range slices.Sorted(maps.Keys(objects)) {
			o := objects[kind].(metav1.Object)
			kept := o.GetAnnotations()["helm.sh/resource-policy"] != ""
			if _, hook := o.GetAnnotations()["helm.sh/hook"]; hook || len(o.GetFinalizers()) > 0 || len(o.GetOwnerReferences()) > 0 || kept != (kind == "PersistentVolumeClaim") {
				t.Errorf("%s: %s outlives its release: annotations %v, finalizers %v", set, kind, o.GetAnnotations(), o.GetFinalizers())
			}
		}
		if daemon := objects["StatefulSet"].(*appsv1.StatefulSet); len(daemon.Spec.VolumeClaimTemplates) > 0 {
			t.Errorf("%s: claims that Kubernetes makes of a template are nobody's afterwards", set)
		}
	}
}
