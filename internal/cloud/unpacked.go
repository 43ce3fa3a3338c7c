package cloud

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"

	"github.com/strongroom-dev/strongroom/store"
)

// Unpacked returns the content of an answer that a proxy may have compressed, although the request does not accept that.
// encoding is the answer's Content-Encoding. A part of a compressed answer is no part of the object: the error is
// store.ErrNoRanges then. Unpacked closes the body if it returns an error.
//
// A program that copied an object may have set the header, so bytes that are not compressed are the object's. No object of
// an archive begins like a compressed answer.
func Unpacked(body io.ReadCloser, encoding string, isPart bool) (io.ReadCloser, error) {
	if e := strings.ToLower(strings.TrimSpace(encoding)); e != "gzip" && e != "x-gzip" {
		return body, nil
	}
	if isPart {
		body.Close()
		return nil, fmt.Errorf("a proxy on the way compresses the answers, so that parts are not the object's: %w", store.ErrNoRanges)
	}
	packed := bufio.NewReader(body)
	begins, _ := packed.Peek(len(gzipMagic)) // an error shows again with the next read
	if !bytes.Equal(begins, gzipMagic) {
		return &unpackedBody{packed, body}, nil
	}
	z, err := gzip.NewReader(packed)
	if err != nil {
		body.Close()
		return nil, fmt.Errorf("unpacking the answer: %w", err)
	}
	return &unpackedBody{z, body}, nil
}

// gzipMagic is how each gzip stream begins (RFC 1952).
var gzipMagic = []byte{0x1f, 0x8b}

// unpackedBody reads from one reader, and closes the answer's body.
type unpackedBody struct {
	io.Reader
	io.Closer
}
