package wire

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"testing"
	"time"
)

func TestCBORReadsWhatItWrites(t *testing.T) {
	tree := map[string]any{
		"list": []any{int64(0), int64(-1), int64(23), int64(24), int64(70_000), int64(1 << 40), 1.5, true, false, nil},
		"text": "grüße", "bytes": []byte{0, 1, 255}, "at": time.UnixMilli(1_700_000_000_123).UTC(),
		"inner": map[string]any{},
	}
	got, err := parseCBOR(cborOf(tree))
	if err != nil || !reflect.DeepEqual(got, tree) {
		t.Errorf("%v\n%v, %v", got, tree, err)
	}
}

func TestCBORReadsOpenEndedItemsAndHalfFloats(t *testing.T) {
	for text, want := range map[string]any{
		"\xbf\x61a\x9f\x01\x02\xff\xff": map[string]any{"a": []any{int64(1), int64(2)}},
		"\x7f\x62ab\x61c\xff":           "abc",
		"\xf9\x3e\x00":                  1.5,
		"\xf9\xfc\x00":                  math.Inf(-1),
		"\xfa\x40\x20\x00\x00":          2.5,
		"\xc1\x1a\x65\x53\xf1\x00":      time.Unix(1_700_000_000, 0).UTC(),
	} {
		if got, err := parseCBOR([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%x is %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestBrokenCBORIsRefused(t *testing.T) {
	for _, text := range []string{"\xa1", "\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "\x01\x01", "\xbf\x01\x01\xff", "\x9f", "\xff"} {
		if tree, err := parseCBOR([]byte(text)); err == nil {
			t.Errorf("%x was read as %v", text, tree)
		}
	}
}

func FuzzCBOR(f *testing.F) {
	f.Add([]byte("\xbf\x61a\x9f\x01\x02\xff\xff"))
	f.Add(cborOf(map[string]any{"a": 1.5, "b": []any{"x"}}))
	f.Fuzz(func(t *testing.T, body []byte) {
		tree, err := parseCBOR(body)
		if err != nil {
			return
		}
		if _, err := parseCBOR(cborOf(tree)); err != nil {
			t.Errorf("%v was read and cannot be read back: %v", tree, err)
		}
	})
}

func TestQueryMembersBecomeListsAndMaps(t *testing.T) {
	form, err := url.ParseQuery("Tags.member.2.Key=b&Tags.member.1.Key=a&Tags.member.1.Value=1&Filter.1=x&M.entry.1.key=k&M.entry.1.value=v&Name=n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Tags": []any{map[string]any{"Key": "a", "Value": "1"}, map[string]any{"Key": "b"}}, "Filter": []any{"x"},
		"M": Map{"k": "v"}, "Name": "n",
	}
	if got := parseQuery(form); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("Tags.member.1.Key=a&M.entry.1.key=k")
	f.Add("a=1&a.b=2&a.b.1=3")
	f.Fuzz(func(_ *testing.T, body string) {
		if form, err := url.ParseQuery(body); err == nil {
			parseQuery(form)
		}
	})
}

type sample struct {
	Name    string
	Count   *int
	On      bool
	Ratio   float64
	At      time.Time
	Tags    map[string]string
	Items   []inner
	Blob    []byte
	Renamed string `wire:"small"`
}

type inner struct{ Id string }

func TestStructsSurviveTheTree(t *testing.T) {
	n := 3
	in := sample{
		Name: "n", Count: &n, On: true, Ratio: 1.5, At: time.Unix(1_700_000_000, 0).UTC(),
		Tags: map[string]string{"a": "b"}, Items: []inner{{"1"}}, Blob: []byte("x"), Renamed: "r",
	}
	tree := Tree(in)
	if m, ok := tree.(map[string]any); !ok || m["small"] != "r" || m["Renamed"] != nil {
		t.Errorf("the tag was passed over: %v", tree)
	}
	for name, read := range map[string]func() (any, error){
		"json": func() (any, error) { return parseJSON(jsonOf(tree)) },
		"cbor": func() (any, error) { return parseCBOR(cborOf(tree)) },
	} {
		back, err := read()
		if err != nil {
			t.Fatal(err)
		}
		var out sample
		if err := Decode(back, &out); err != nil || !reflect.DeepEqual(in, out) {
			t.Errorf("%s: %+v, %v, want %+v", name, out, err, in)
		}
	}
}

func TestWrongTypesAreToldByPath(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"Name":1}`: false, `{"Count":"x"}`: false, `{"Count":1.5}`: false, `{"Items":{}}`: false, `{"Tags":[]}`: false,
		`{"Items":[{"Id":"a"}],"Unknown":1}`: true, `{"Count":"3","On":"true"}`: true, `{"Name":null}`: true,
	} {
		tree, err := parseJSON([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		err = Decode(tree, &sample{})
		if (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
		if err != nil && AsError(err).Code != "SerializationException" {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestHiddenMembersAreNotRecordedAnywhere(t *testing.T) {
	tree := map[string]any{"Entries": []any{map[string]any{"Id": "1", "MessageBody": "s3cr3t"}}, "Tags": Map{"Team": "x"}}
	raw, err := json.Marshal(Lower(Hide(tree, []string{"MessageBody"})))
	want := `{"entries":[{"id":"1","messageBody":"` + HiddenValue + `"}],"tags":{"Team":"x"}}`
	if err != nil || string(raw) != want {
		t.Errorf("%s, %v, want %s", raw, err, want)
	}
}

func TestScopesOfHeadersAndPresignedURLs(t *testing.T) {
	want := Scope{AccessKey: "alice", Region: "eu-west-1", Service: "sqs"}
	header, _ := http.NewRequest(http.MethodPost, "/", nil)
	header.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=alice/20261123/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
	presigned, _ := http.NewRequest(http.MethodGet, "/?X-Amz-Credential=alice%2F20261123%2Feu-west-1%2Fsqs%2Faws4_request", nil)
	for _, r := range []*http.Request{header, presigned} {
		if got, ok := ParseScope(r); !ok || got != want {
			t.Errorf("%+v, %v", got, ok)
		}
	}
	bare, _ := http.NewRequest(http.MethodGet, "/", nil)
	if _, ok := ParseScope(bare); ok {
		t.Error("an unsigned request has a scope")
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"Update*", "UpdateAlias", true}, {"Update*", "PutUpdate", false}, {"*a*b", "xaybb", true},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"", "", true}, {"", "a", false}, {"a**", "a", true},
	} {
		if got := Glob(c.pattern, c.s); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.s, got)
		}
	}
}

func TestOperationsThatChangeNothing(t *testing.T) {
	for name, want := range map[string]bool{"GetFunction": true, "ListQueues": true, "DescribeRule": true, "LookupEvents": true, "HeadObject": true,
		"UpdateAlias": false, "ReceiveMessage": false, "PutRule": false, "Invoke": false, "TagResource": false} {
		if got := ReadOnly(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
