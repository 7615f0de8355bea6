package wire

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// The subset of CBOR (RFC 8949) that rpc-v2-cbor uses. Indefinite lengths are
// read; nothing indefinite is written.

const (
	cborUint, cborNegative, cborBytes, cborText = 0, 1, 2, 3
	cborArray, cborMap, cborTag, cborSimple     = 4, 5, 6, 7
	cborIndefinite                              = 31
	cborDepth                                   = 64
)

func cborOf(tree any) []byte { return appendCBOR(nil, tree) }

func appendCBOR(out []byte, tree any) []byte {
	switch x := tree.(type) {
	case bool:
		if x {
			return append(out, 0xf5)
		}
		return append(out, 0xf4)
	case int64:
		if x < 0 {
			return appendHead(out, cborNegative, uint64(-1-x))
		}
		return appendHead(out, cborUint, uint64(x))
	case float64:
		return appendFloat(out, x)
	case string:
		return append(appendHead(out, cborText, uint64(len(x))), x...)
	case []byte:
		return append(appendHead(out, cborBytes, uint64(len(x))), x...)
	case time.Time:
		return appendFloat(appendHead(out, cborTag, 1), float64(x.UnixMilli())/1000)
	case []any:
		out = appendHead(out, cborArray, uint64(len(x)))
		for _, item := range x {
			out = appendCBOR(out, item)
		}
		return out
	case map[string]any:
		return appendCBORMap(out, x)
	case Map:
		return appendCBORMap(out, x)
	default:
		return append(out, 0xf6)
	}
}

func appendCBORMap(out []byte, m map[string]any) []byte {
	keys := sortedKeys(m)
	out = appendHead(out, cborMap, uint64(len(keys)))
	for _, k := range keys {
		out = appendCBOR(append(appendHead(out, cborText, uint64(len(k))), k...), m[k])
	}
	return out
}

func appendFloat(out []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(out, 0xfb), math.Float64bits(f))
}

func appendHead(out []byte, major byte, n uint64) []byte {
	m := major << 5
	switch {
	case n < 24:
		return append(out, m|byte(n))
	case n <= math.MaxUint8:
		return append(out, m|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(out, m|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(out, m|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(out, m|27), n)
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// parseCBOR reads one CBOR item into a tree.
func parseCBOR(body []byte) (any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	d := &cborReader{rest: body}
	tree := d.item(0)
	if d.bad || len(d.rest) != 0 {
		return nil, &Error{Status: 400, Code: "SerializationException", Message: "the request is not CBOR"}
	}
	return tree, nil
}

type cborReader struct {
	rest []byte
	bad  bool
}

func (d *cborReader) fail() any { d.bad = true; d.rest = nil; return nil }

func (d *cborReader) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	out := d.rest[:n]
	d.rest = d.rest[n:]
	return out
}

// head reads major type and argument; indefinite is true for an open-ended
// item.
func (d *cborReader) head() (major byte, info byte, n uint64) {
	b := d.take(1)
	if d.bad {
		return 0, 0, 0
	}
	major, info = b[0]>>5, b[0]&31
	if info < 24 {
		return major, info, uint64(info)
	}
	if info > 27 {
		if info != cborIndefinite {
			d.fail()
		}
		return major, info, 0
	}
	for _, x := range d.take(1 << (info - 24)) {
		n = n<<8 | uint64(x)
	}
	return major, info, n
}

func (d *cborReader) item(depth int) any {
	if depth > cborDepth {
		return d.fail()
	}
	major, info, n := d.head()
	if d.bad {
		return nil
	}
	switch major {
	case cborUint:
		return int64(n)
	case cborNegative:
		return -1 - int64(n)
	case cborBytes:
		return d.chunks(info, n, depth)
	case cborText:
		return string(d.chunks(info, n, depth))
	case cborArray:
		return d.array(info, n, depth)
	case cborMap:
		return d.mapping(info, n, depth)
	case cborTag:
		return d.tagged(n, depth)
	default:
		return d.simple(info, n)
	}
}

func (d *cborReader) chunks(info byte, n uint64, depth int) []byte {
	if info != cborIndefinite {
		return d.take(n)
	}
	var out []byte
	for !d.done() {
		switch part := d.item(depth + 1).(type) {
		case string:
			out = append(out, part...)
		case []byte:
			out = append(out, part...)
		default:
			d.fail()
			return nil
		}
	}
	return out
}

// done is true at the end of an indefinite item, and takes its end mark.
func (d *cborReader) done() bool {
	if d.bad || len(d.rest) == 0 {
		d.fail()
		return true
	}
	if d.rest[0] == 0xff {
		d.rest = d.rest[1:]
		return true
	}
	return false
}

func (d *cborReader) array(info byte, n uint64, depth int) any {
	out := []any{}
	if info == cborIndefinite {
		for !d.done() {
			out = append(out, d.item(depth+1))
		}
		return out
	}
	for i := uint64(0); i < n && !d.bad; i++ {
		out = append(out, d.item(depth+1))
	}
	return out
}

func (d *cborReader) mapping(info byte, n uint64, depth int) any {
	out := map[string]any{}
	pair := func() {
		key, ok := d.item(depth + 1).(string)
		if !ok {
			d.fail()
			return
		}
		out[key] = d.item(depth + 1)
	}
	if info == cborIndefinite {
		for !d.done() {
			pair()
		}
		return out
	}
	for i := uint64(0); i < n && !d.bad; i++ {
		pair()
	}
	return out
}

func (d *cborReader) tagged(tag uint64, depth int) any {
	inner := d.item(depth + 1)
	if tag != 1 {
		return inner
	}
	seconds, ok := asNumber(inner)
	if !ok {
		return d.fail()
	}
	return epoch(seconds)
}

func (d *cborReader) simple(info byte, n uint64) any {
	switch info {
	case 20, 21:
		return info == 21
	case 22, 23:
		return nil
	case 25:
		return halfFloat(uint16(n))
	case 26:
		return float64(math.Float32frombits(uint32(n)))
	case 27:
		return math.Float64frombits(n)
	default:
		return d.fail()
	}
}

func halfFloat(h uint16) float64 {
	exp, frac := int(h>>10)&31, float64(h&1023)
	value := math.Ldexp(1+frac/1024, exp-15)
	switch exp {
	case 0:
		value = math.Ldexp(frac, -24)
	case 31:
		value = math.Inf(1)
		if frac != 0 {
			value = math.NaN()
		}
	}
	if h&0x8000 != 0 {
		return -value
	}
	return value
}
