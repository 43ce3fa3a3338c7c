package cloud

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/strongroom-dev/strongroom/internal/redact"
	"github.com/strongroom-dev/strongroom/internal/textdist"
)

// Address is a parsed archive URL.
type Address struct {
	scheme string
	Bucket string // the bucket, container or name; empty for file
	Dir    string // for file: an absolute path
	Prefix string // the archive's prefix in the bucket: empty, or ends in "/"
	Params map[string]string
	Where  RedactedURL // the URL for messages
}

const (
	maxPrefixBytes  = 400  // of an archive's prefix in a bucket, so that prefix and key are below 1,024
	maxSegmentBytes = 200  // of one segment of a key
	maxKeyBytes     = 900  // of a whole key
	maxURLBytes     = 4096 // of a URL
)

// Parse parses an archive URL that must have the given scheme. known are the parameters that may follow
// the "?". An error states the fault and what to write instead, and never has credentials.
func Parse(raw, scheme string, known []string) (Address, error) {
	a, u, err := takeApart(raw)
	if err != nil {
		return Address{}, err
	}
	fail := func(err error) (Address, error) { return Address{}, fmt.Errorf("archive URL %s: %w", a.Where, err) }
	if a.scheme != scheme {
		return fail(fmt.Errorf("the scheme is not %s://", scheme))
	}
	if a.Params, err = parameters(scheme, u.RawQuery, known); err != nil {
		return fail(err)
	}
	switch scheme {
	case "file":
		a.Dir, err = directory(u)
	default:
		a.Bucket = u.Host
		a.Prefix, err = keyPrefix(u.Path)
	}
	if err != nil {
		return fail(err)
	}
	return a, nil
}

// SchemeOf returns the scheme of an archive URL, in lower case. It returns an error if no adapter serves
// the scheme, or if the URL cannot be parsed.
func SchemeOf(raw string) (string, error) {
	a, _, err := takeApart(raw)
	return a.scheme, err
}

// takeApart parses the parts of a URL that all schemes have in common.
func takeApart(raw string) (Address, *url.URL, error) {
	w := RedactedURL(redact.URL(raw))
	fail := func(format string, args ...any) (Address, *url.URL, error) {
		return Address{}, nil, fmt.Errorf("archive URL %s: %w", w, fmt.Errorf(format, args...))
	}
	if len(raw) > maxURLBytes {
		return fail("it has %d bytes; at most %d are allowed", len(raw), maxURLBytes)
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme == "" {
		return fail("it has no scheme; write s3://bucket/prefix or file:///absolute/path")
	}
	if strings.HasPrefix(rest, "arn:") {
		return fail("an ARN is no bucket's name; write the alias of the access point, which ends in -s3alias")
	}
	u, err := url.Parse(raw)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return fail("it cannot be parsed (%s); special characters must be percent-encoded",
			hideIn(err.Error(), raw, string(w)))
	}
	if u.User != nil {
		return fail("it holds credentials; " +
			"remove the part before the @ and use the environment, a profile or the role of this host")
	}
	if strings.Contains(u.Host, ":") {
		return fail("it has a colon behind the name before the first slash; " +
			"a secret belongs in the environment, and a port in the parameter endpoint")
	}
	if u.Fragment != "" || strings.Contains(rest, "#") {
		return fail("it has a fragment; write # as %%23")
	}
	if !redact.IsScheme(scheme) {
		return fail("what is before :// is no scheme; write s3://bucket/prefix or file:///absolute/path")
	}
	a := Address{scheme: strings.ToLower(scheme), Where: w}
	if err := checkScheme(a.scheme); err != nil {
		return fail("%w", err)
	}
	return a, u, nil
}

// checkScheme returns an error for an unknown scheme, which suggests the nearest scheme.
func checkScheme(scheme string) error {
	known := []string{"s3", "gs", "azblob", "file"}
	if scheme == "mem" || slices.Contains(known, scheme) {
		return nil
	}
	others := map[string]string{ // the names in other programs
		"gcs": "gs", "google": "gs", "azure": "azblob", "az": "azblob", "abfs": "azblob", "abfss": "azblob", "wasb": "azblob", "wasbs": "azblob",
		"s3a": "s3", "s3n": "s3", "minio": "s3", "r2": "s3", "b2": "s3",
	}
	guess := ""
	if near, ok := others[scheme]; ok {
		guess = "; did you mean " + near + "://?"
	} else if near, ok := textdist.Nearest(scheme, known); ok {
		guess = "; did you mean " + near + "://?"
	}
	return fmt.Errorf("unknown scheme %.40q%s "+
		"Write s3://bucket/prefix, gs://bucket/prefix, azblob://container/prefix or file:///absolute/path",
		scheme, cmp.Or(guess, "."))
}

func parameters(scheme, query string, known []string) (map[string]string, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the parameters after the ? cannot be parsed; " +
			"write name=value&name=value, percent-encoded")
	}
	params := map[string]string{}
	for name, v := range values {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return nil, fmt.Errorf("unknown parameter %s; %s:// takes none", redact.Name(name), scheme)
		case !slices.Contains(known, name):
			guess := ""
			if near, ok := textdist.Nearest(name, known); ok {
				guess = "the nearest is " + near + "; "
			}
			return nil, fmt.Errorf("unknown parameter %s; %s%s:// takes %s",
				redact.Name(name), guess, scheme, strings.Join(known, ", "))
		case len(v) > 1:
			return nil, fmt.Errorf("parameter %s occurs %d times; write it once", name, len(v))
		}
		params[name] = v[0]
	}
	return params, nil
}

// Truth returns the value of a parameter that is true or false. A missing parameter is false.
func (a *Address) Truth(name string) (bool, error) {
	v, ok := a.Params[name]
	if !ok {
		return false, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, fmt.Errorf("archive URL %s: parameter %s is %s; write true or false", a.Where, name, redact.Value(name, v))
	}
	return b, nil
}

// directory returns the path of a file URL.
func directory(u *url.URL) (string, error) {
	switch {
	case u.Host != "" && u.Host != "localhost":
		return "", fmt.Errorf("%.80q is read as a host name; write an absolute path, with three slashes: file:///%s%s",
			u.Host, u.Host, u.Path)
	case u.Path == "" || u.Path == "/":
		return "", errors.New("it names no directory; write file:///absolute/path")
	}
	if err := printable(u.Path); err != nil {
		return "", err
	}
	return u.Path, nil
}

// keyPrefix returns the prefix of all keys for a URL's path: empty, or such as "a/b/".
func keyPrefix(path string) (string, error) {
	path = strings.Trim(path, "/")
	if path == "" {
		return "", nil
	}
	if len(path) > maxPrefixBytes {
		return "", fmt.Errorf("the prefix has %d bytes; at most %d leave room for the keys", len(path), maxPrefixBytes)
	}
	for s := range strings.SplitSeq(path, "/") {
		if s == "" || s == "." || s == ".." {
			return "", errors.New("the prefix has an empty element, or one that is . or ..; " +
				"some services do not distinguish these; remove it")
		}
	}
	if err := printable(path); err != nil {
		return "", err
	}
	return path + "/", nil
}

func printable(path string) error {
	if !utf8.ValidString(path) {
		return errors.New("the path is not UTF-8")
	}
	if strings.ContainsFunc(path, func(r rune) bool { return unicode.IsControl(r) || r == '\\' }) {
		return errors.New("the path has a backslash or a control character")
	}
	return nil
}

// CheckKey returns an error unless key is valid in the format. So no key leads out of the archive's prefix
// or directory.
func CheckKey(key string) error {
	if key == "" || len(key) > maxKeyBytes {
		return fmt.Errorf("the key has %d bytes; 1 to %d are allowed", len(key), maxKeyBytes)
	}
	for s := range strings.SplitSeq(key, "/") {
		switch {
		case s == "" || s == "." || s == "..":
			return fmt.Errorf("key %.80q has an empty, . or .. segment", key)
		case len(s) > maxSegmentBytes:
			return fmt.Errorf("key %.80q has a segment of %d bytes; at most %d are allowed",
				key, len(s), maxSegmentBytes)
		}
	}
	for i := range len(key) {
		if !KeyByte(key[i]) {
			return fmt.Errorf("key %.80q has the byte %q; allowed are letters, digits, slashes and any of %s",
				key, key[i], ". _ = % -")
		}
	}
	return nil
}

// KeyByte reports whether the format allows c in a key.
func KeyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._=%-/", c) >= 0
}

// CheckEndpoint returns an error unless e is the address of a service: a scheme, a host, and perhaps a port
// and a path. The caller adds where e comes from.
func CheckEndpoint(e string) error {
	u, err := url.Parse(e)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return errors.New("it is no address; write https://host:port")
	case u.User != nil:
		return errors.New("it holds credentials; " +
			"remove them and use the environment, a profile or the role of this host")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("it has a query or a fragment; write https://host:port")
	}
	return nil
}

// hideIn replaces a message of net/url if the URL has a secret: the message quotes a part of the URL.
func hideIn(message, raw, safe string) string {
	if raw == safe {
		return message
	}
	return "not a URL"
}
