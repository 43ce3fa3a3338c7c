package cloud

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"
)

// Whether an object is a gzip stream itself may not be known, because the request for its size failed. Then no content is
// returned: it could be other content than the object's.
func TestUnpackedWithoutTheStoredSize(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, "content")
	z.Close()
	size := int64(packed.Len())
	throttled := errors.New("throttled")
	for _, isPart := range []bool{false, true} {
		for name, c := range map[string]struct {
			size int64
			err  error
			want string // "" if an error is wanted
		}{
			"failed":      {size, throttled, ""},
			"stored":      {size, nil, packed.String()},
			"not stated":  {-1, nil, "content"},
			"compressed":  {size + 1, nil, "content"},
			"unreachable": {-1, throttled, "content"}, // no request is needed
		} {
			body := &closing{Reader: bytes.NewReader(packed.Bytes())}
			r, err := Unpacked(body, Packing{Encoding: "gzip", IsPart: isPart, Size: c.size, Stored: func() (int64, error) {
				return size, c.err
			}})
			if c.want == "" {
				if !errors.Is(err, throttled) || !body.isClosed {
					t.Errorf("%s, part %v: %v, closed %v", name, isPart, err, body.isClosed)
				}
				continue
			}
			if isPart && c.want == "content" {
				if err == nil {
					t.Errorf("%s: a part was returned", name)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, part %v: %v", name, isPart, err)
				continue
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != c.want {
				t.Errorf("%s, part %v: %q, %v", name, isPart, got, err)
			}
		}
	}
}

type closing struct {
	io.Reader
	isClosed bool
}

func (c *closing) Close() error {
	c.isClosed = true
	return nil
}
