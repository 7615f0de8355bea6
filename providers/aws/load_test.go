package aws

import (
	"strings"
	"testing"
)

func TestSessionNamesAreAccepted(t *testing.T) {
	for instance, want := range map[string]string{"": "mooring-daemon", "a/b c": "mooring-a-b-c", strings.Repeat("x", 99): "mooring-" + strings.Repeat("x", 56)} {
		if got := SessionName(instance); got != want {
			t.Errorf("%q gives %q, want %q", instance, got, want)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no environment": func(o *Options) { o.Environment = "" },
		"no pipeline":    func(o *Options) { o.Pipeline = "" },
		"no region":      func(o *Options) { o.Config.Region, o.Target.Region = "", "" },
		"bad protocol":   func(o *Options) { o.CloudWatchProtocol = "soap" },
		"bad emulator":   func(o *Options) { o.Emulator = "other" },
	} {
		o := testOptions(t, "http://127.0.0.1:1")
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
