package adopt

import (
	"encoding/json"
	"strings"
	"testing"
)

// Where nothing is found the lists are empty, and not null.
func TestNothingFoundIsEmptyLists(t *testing.T) {
	result, err := Compose(Found{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "null") || !strings.Contains(string(text), `"left":[]`) {
		t.Errorf("%s", text)
	}
}
