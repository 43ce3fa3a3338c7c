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

// Packing is what an answer states of its content.
type Packing struct {
	Encoding string // Content-Encoding
	IsPart   bool   // the answer has a Content-Range
	Size     int64  // the object's size according to the answer; negative: the answer does not state it

	// Stored requests the object's size without its content; nil if the service has stated that it stores other bytes.
	Stored func() (int64, error)
}

// isStored reports whether the bytes of an answer are the object's.
func (p *Packing) isStored() (bool, error) {
	if p.Stored == nil || p.Size < 0 {
		return false, nil
	}
	stored, err := p.Stored()
	if err != nil {
		return false, fmt.Errorf("checking whether the object is stored compressed: %w", err)
	}
	return stored == p.Size, nil
}

// Unpacked returns the content of an answer that a proxy may have compressed, although the request does not accept
// that. A part of a compressed answer is no part of the object: the error is store.ErrNoRanges then. Unpacked closes
// the body if it returns an error.
//
// A program that copied an object may have set the header. So bytes that are not compressed are the object's. A log
// file may itself be compressed: bytes are the object's, too, if the answer and the object have the same size.
func Unpacked(body io.ReadCloser, p Packing) (io.ReadCloser, error) {
	if e := strings.ToLower(strings.TrimSpace(p.Encoding)); e != "gzip" && e != "x-gzip" {
		return body, nil
	}
	if p.IsPart {
		isStored, err := p.isStored()
		if isStored {
			return body, nil
		}
		body.Close()
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("a proxy on the way compresses the answers, so that parts are not the object's: %w",
			store.ErrNoRanges)
	}
	packed := bufio.NewReader(body)
	begins, _ := packed.Peek(len(gzipMagic)) // an error shows again with the next read
	if !bytes.Equal(begins, gzipMagic) {
		return &unpackedBody{packed, body}, nil
	}
	isStored, err := p.isStored()
	switch {
	case err != nil:
		body.Close()
		return nil, err
	case isStored:
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
