package cloud

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer is the number of bytes that an answer to a listing may have. A thousand of the longest keys, percent-encoded,
// take less than a fifth of it.
const maxAnswer = 32 << 20

type listingKey struct{}

// ForListing marks the requests of a listing, so that a client of CheckingListings checks their answers. root is the name
// of the root element of a listing in XML; empty for another format.
//
// The SDKs take any document for a listing, and an empty body too: what they do not find in it is missing. So the page of
// a proxy would be a listing without objects.
func ForListing(ctx context.Context, root string) context.Context {
	return context.WithValue(ctx, listingKey{}, root)
}

// CheckingListings makes a client check the answers to requests that ForListing has marked, and returns the client.
func CheckingListings(client *http.Client) *http.Client {
	client.Transport = &listingTransport{client.Transport}
	return client
}

type listingTransport struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *listingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.RoundTripper.RoundTrip(r)
	root, marked := r.Context().Value(listingKey{}).(string)
	if err != nil || !marked || answer.StatusCode/100 != 2 {
		return answer, err
	}
	body := &answerBody{answer.Body, maxAnswer}
	answer.Body = body
	if root == "" {
		return answer, nil
	}
	var read bytes.Buffer
	if err := checkRoot(io.TeeReader(body, &read), root); err != nil {
		body.Close()
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&read, body), body}
	return answer, nil
}

// checkRoot returns an error if a document has another root element.
func checkRoot(body io.Reader, root string) error {
	document := xml.NewDecoder(body)
	document.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		token, err := document.RawToken()
		var syntax *xml.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: the answer is empty; %s", ErrBadListing, proxyAdvice)
		case errors.As(err, &syntax):
			return fmt.Errorf("%w: the answer is not XML (%w); %s", ErrBadListing, err, proxyAdvice)
		case err != nil:
			return err
		}
		if start, ok := token.(xml.StartElement); ok {
			if start.Name.Local != root {
				return fmt.Errorf("%w: the answer is a document <%.40s>; %s", ErrBadListing, start.Name.Local, proxyAdvice)
			}
			return nil
		}
	}
}

const proxyAdvice = "check the endpoint, and the proxies on the way"

// answerBody fails beyond a number of bytes.
type answerBody struct {
	io.ReadCloser
	left int64
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%w: a page has more than %d bytes", ErrBadListing, maxAnswer)
	}
	return n, err
}
