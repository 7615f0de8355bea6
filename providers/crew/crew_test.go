package crew

import (
	"errors"
	"strings"
	"testing"
)

// caught is what do panics with.
func caught(do func()) (v any) {
	defer func() { v = recover() }()
	do()
	return nil
}

// TestAPanicComesOutOfWait, of a crew within a crew too, with where it was; the
// others have done their work by then, and a crew in which none panicked answers
// with its error.
func TestAPanicComesOutOfWait(t *testing.T) {
	var done [4]bool
	v := caught(func() {
		var outer Crew
		outer.SetLimit(2)
		for i := range done {
			outer.Go(func() error {
				var inner Crew
				inner.Go(func() error { done[i] = true; return nil })
				if i == 1 {
					inner.Go(func() error { panic("mast") })
				}
				return inner.Wait()
			})
		}
		_ = outer.Wait()
		t.Error("Wait returned")
	})
	at, ok := v.(Struck)
	if !ok || at.Value != "mast" || !strings.Contains(string(at.Stack), "crew_test.go") {
		t.Errorf("%T %v", v, v)
	}
	if done != [4]bool{true, true, true, true} {
		t.Errorf("done: %v", done)
	}
	leak := errors.New("leak")
	var well Crew
	well.Go(func() error { return leak })
	if err := well.Wait(); !errors.Is(err, leak) {
		t.Errorf("%v", err)
	}
}
