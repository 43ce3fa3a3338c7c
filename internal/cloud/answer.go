package cloud

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// ErrWebPage means that a web page arrived in place of a service's answer, such as that of a captive portal or of a
// proxy. It stores nothing and deletes nothing, and does not show that an object is there or missing.
var ErrWebPage = errors.New("a web page arrived in place of the service's answer")

// ErrBadAnswer means that the answer to a request is another document than the one that the request is for.
var ErrBadAnswer = errors.New("the service's answer cannot be relied on")

// maxAnswer is the number of bytes that an answer to a listing may have. A thousand of the longest keys,
// percent-encoded, take less than a fifth of it.
const maxAnswer = 32 << 20

type documentKey struct{}

// document is what the answer to a request must be.
type document struct {
	roots []string // the names that the root element in XML may have; none for another format
	bad   error    // what any other answer is
}

// ForListing marks the requests of a listing, so that a client of CheckingAnswers checks their answers. roots are the
// names that the root element of an answer in XML may have; none for another format.
//
// The SDKs take any document for a listing, and an empty body too: what they do not find in it is missing. So the page
// of a proxy would be a listing without objects.
func ForListing(ctx context.Context, roots ...string) context.Context {
	return context.WithValue(ctx, documentKey{}, document{roots, ErrBadListing})
}

// ForDocument does the same as ForListing for another request whose answer is XML. The error is ErrBadAnswer then.
func ForDocument(ctx context.Context, roots ...string) context.Context {
	return context.WithValue(ctx, documentKey{}, document{roots, ErrBadAnswer})
}

type contentKey struct{}

// ForContent marks the requests for an object's content, so that a client of CheckingAnswers refuses an answer without a
// header of the service's own, with ErrBadAnswer. An empty answer of a proxy would be an empty object.
func ForContent(ctx context.Context) context.Context {
	return context.WithValue(ctx, contentKey{}, true)
}

// CheckingAnswers makes a client refuse web pages, and check the answers to requests that ForListing, ForDocument or
// ForContent has marked. It returns the client. own are the beginnings of the names of headers that the service alone
// sends: an object may be a web page itself.
func CheckingAnswers(client *http.Client, own ...string) *http.Client {
	client.Transport = &checkedTransport{client.Transport, own, false}
	return client
}

// CheckingTypedAnswers does the same for a service whose gateways may give an answer without content the type of a web
// page, as their frameworks do. Such an answer is no page, unless content was requested. The caller must check that an
// answer acknowledges what was requested.
func CheckingTypedAnswers(client *http.Client, own ...string) *http.Client {
	client.Transport = &checkedTransport{client.Transport, own, true}
	return client
}

type checkedTransport struct {
	http.RoundTripper
	own        []string
	typesEmpty bool // an answer without content may have the type of a page
}

// RoundTrip implements http.RoundTripper.
func (t *checkedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if t.isWebPage(answer) {
		answer.Body.Close()
		return nil, fmt.Errorf("%w (HTTP %d)", ErrWebPage, answer.StatusCode)
	}
	if r.Context().Value(contentKey{}) != nil && answer.StatusCode/100 == 2 && !t.isOwn(answer) {
		answer.Body.Close()
		return nil, fmt.Errorf("%w: it has no header of the service (HTTP %d); %s", ErrBadAnswer, answer.StatusCode, proxyAdvice)
	}
	wanted, marked := r.Context().Value(documentKey{}).(document)
	if !marked || answer.StatusCode/100 != 2 {
		return answer, nil
	}
	body := &answerBody{answer.Body, maxAnswer, wanted.bad}
	answer.Body = body
	if len(wanted.roots) == 0 {
		return answer, nil
	}
	var read bytes.Buffer
	if err := wanted.checkRoot(io.TeeReader(body, &read)); err != nil {
		body.Close()
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&read, body), body}
	return answer, nil
}

// isWebPage reports whether an answer that would count as success, or as that of a missing object, is a web page. Other
// statuses are errors in any case, and have their own advice. The type decides, unless a gateway's framework may set it:
// then an answer without a body is no page. But one to a HEAD never has a body, and content would be that of an object.
func (t *checkedTransport) isWebPage(answer *http.Response) bool {
	if answer.StatusCode/100 != 2 && answer.StatusCode != http.StatusNotFound {
		return false
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if kind != "text/html" && kind != "application/xhtml+xml" {
		return false
	}
	if t.isOwn(answer) {
		return false
	}
	method := answer.Request.Method
	isRead := method == http.MethodHead || method == http.MethodGet && answer.StatusCode != http.StatusNotFound
	return isRead || !t.typesEmpty || hasContent(answer)
}

// isOwn reports whether an answer has a header that the service alone sends.
func (t *checkedTransport) isOwn(answer *http.Response) bool {
	for name := range answer.Header {
		for _, own := range t.own {
			if strings.HasPrefix(name, own) {
				return true
			}
		}
	}
	return false
}

// hasContent reports whether an answer has a body. It leaves the body as it was.
func hasContent(answer *http.Response) bool {
	var first [1]byte
	n, err := io.ReadFull(answer.Body, first[:])
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first[:n]), answer.Body), answer.Body}
	return !errors.Is(err, io.EOF)
}

// checkRoot returns an error if a document has another root element.
func (d *document) checkRoot(body io.Reader) error {
	decoder := xml.NewDecoder(body)
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		token, err := decoder.RawToken()
		var syntax *xml.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: the answer is empty; %s", d.bad, proxyAdvice)
		case errors.As(err, &syntax):
			return fmt.Errorf("%w: the answer is not XML (%w); %s", d.bad, err, proxyAdvice)
		case err != nil:
			return err
		}
		if start, ok := token.(xml.StartElement); ok {
			if !slices.Contains(d.roots, start.Name.Local) {
				return &rootError{d.bad, start.Name.Local}
			}
			return nil
		}
	}
}

// rootError is the error of a document with another root element than the request is for.
type rootError struct {
	bad  error
	root string
}

// Error implements error.
func (e *rootError) Error() string {
	return fmt.Sprintf("%v: the answer is a document <%.40s>; %s", e.bad, e.root, proxyAdvice)
}

// Unwrap returns ErrBadListing or ErrBadAnswer.
func (e *rootError) Unwrap() error { return e.bad }

// WrongRoot returns the name of the root element of an answer that ForListing or ForDocument refused because of it, and
// "" for any other error.
func WrongRoot(err error) string {
	if e, ok := errors.AsType[*rootError](err); ok {
		return e.root
	}
	return ""
}

const proxyAdvice = "check the endpoint, and the proxies on the way"

// answerBody fails beyond a number of bytes.
type answerBody struct {
	io.ReadCloser
	left int64
	bad  error
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%w: it has more than %d bytes", b.bad, maxAnswer)
	}
	return n, err
}
