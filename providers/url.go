package providers

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

	"github.com/strongroom-dev/strongroom/config"
)

// address is an archive's URL taken apart.
type address struct {
	scheme string
	bucket string // of mem and s3
	dir    string // of file: an absolute path
	prefix string // of mem and s3: "" or what ends in "/"
	params map[string]string
	where  redactedURL
}

// s3Parameters are what may stand behind the "?" of an s3 URL. Where gocloud's s3blob
// knows a parameter of that meaning, it has the same name there.
var s3Parameters = []string{
	"region",         // of the bucket; otherwise AWS_REGION or the profile's
	"endpoint",       // http:// or https:// address of a service that is not Amazon's
	"use_path_style", // true: the bucket stands in the path and not in the host name
	"profile",        // of the shared configuration file
	"anonymous",      // true: requests are not signed
	"ssetype",        // server-side encryption: AES256, aws:kms, aws:kms:dsse
	"kmskeyid",       // its key, for aws:kms
	"storage_class",  // of data and bundles; the rest has the bucket's own
	"checksum",       // crc32c, md5 or none: what the service verifies
	"create_only",    // false: the service cannot refuse what exists, and the weaker promise will do
	"versions",       // auto (the bucket is asked), true or false: whether it keeps versions
	"lock",           // GOVERNANCE or COMPLIANCE: objects are locked when they are put
	"lock_for",       // for how long, such as 30d or 36h
	"legal_hold",     // true: objects are put on legal hold
}

const (
	maxPrefixBytes  = 400  // of an archive's prefix in a bucket, so that with a key it stays below 1,024
	maxSegmentBytes = 200  // of one segment of a key
	maxKeyBytes     = 900  // of a whole key
	maxURLBytes     = 4096 // of what is worth taking apart
)

// parse takes an archive's URL apart. Its errors name what is wrong and what to write
// instead, and never hold credentials.
func parse(raw string) (address, error) {
	w := redactedURL(Redact(raw))
	fail := func(format string, args ...any) (address, error) {
		return address{}, fmt.Errorf("archive URL %s: %w", w, fmt.Errorf(format, args...))
	}
	if len(raw) > maxURLBytes {
		return fail("it is %d bytes long; at most %d make sense", len(raw), maxURLBytes)
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme == "" {
		return fail("it has no scheme; write s3://bucket/prefix or file:///absolute/path")
	}
	u, err := url.Parse(raw)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return fail("it cannot be read (%s); special characters must be percent-encoded", hideIn(err.Error(), raw, string(w)))
	}
	if u.User != nil {
		return fail("it holds credentials; take out what stands before the @ and use the environment, a profile or the role of this host")
	}
	if u.Fragment != "" || strings.Contains(rest, "#") {
		return fail("it has a fragment; write # as %%23")
	}
	a := address{scheme: strings.ToLower(scheme), where: w}
	if err := checkScheme(a.scheme); err != nil {
		return fail("%w", err)
	}
	if a.params, err = parameters(a.scheme, u.RawQuery); err != nil {
		return fail("%w", err)
	}
	switch a.scheme {
	case "file":
		a.dir, err = directory(u)
	default:
		a.bucket = u.Host
		a.prefix, err = keyPrefix(u.Path)
	}
	if err != nil {
		return fail("%w", err)
	}
	return a, nil
}

// checkScheme refuses what is no scheme, and guesses what was meant.
func checkScheme(scheme string) error {
	known := []string{"s3", "gs", "azblob", "file"}
	if scheme == "mem" || slices.Contains(known, scheme) {
		return nil
	}
	others := map[string]string{ // what other programs call them
		"gcs": "gs", "google": "gs", "azure": "azblob", "az": "azblob", "abfs": "azblob", "abfss": "azblob", "wasb": "azblob", "wasbs": "azblob",
		"s3a": "s3", "s3n": "s3", "minio": "s3", "r2": "s3", "b2": "s3",
	}
	guess := ""
	if near, ok := others[scheme]; ok {
		guess = "; did you mean " + near + "://?"
	} else if near, ok := config.Nearest(scheme, known); ok {
		guess = "; did you mean " + near + "://?"
	}
	return fmt.Errorf("unknown scheme %.40q%s Write s3://bucket/prefix, gs://bucket/prefix, azblob://container/prefix or file:///absolute/path", scheme, cmp.Or(guess, "."))
}

func parameters(scheme, query string) (map[string]string, error) {
	var known []string
	switch scheme {
	case "s3":
		known = s3Parameters
	case "azblob":
		known = azureParameters
	case "gs":
		known = gcsParameters
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("what follows the ? cannot be read; write name=value&name=value, percent-encoded")
	}
	params := map[string]string{}
	for name, v := range values {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return nil, fmt.Errorf("unknown parameter %s; %s:// takes none", shownName(name), scheme)
		case !slices.Contains(known, name):
			guess := ""
			if near, ok := config.Nearest(name, known); ok {
				guess = "the nearest is " + near + "; "
			}
			return nil, fmt.Errorf("unknown parameter %s; %s%s:// knows %s", shownName(name), guess, scheme, strings.Join(known, ", "))
		case len(v) > 1:
			return nil, fmt.Errorf("parameter %s stands there %d times; write it once", name, len(v))
		}
		params[name] = v[0]
	}
	return params, nil
}

// truth reads a parameter that is true or false; absent is false.
func (a *address) truth(name string) (bool, error) {
	v, ok := a.params[name]
	if !ok {
		return false, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, fmt.Errorf("archive URL %s: parameter %s is %.40q; write true or false", a.where, name, v)
	}
	return b, nil
}

// directory is the path of a file URL.
func directory(u *url.URL) (string, error) {
	switch {
	case u.Host != "" && u.Host != "localhost":
		return "", fmt.Errorf("%.80q would be a host name; a file URL holds an absolute path, with three slashes: file:///%s%s", u.Host, u.Host, u.Path)
	case u.Path == "" || u.Path == "/":
		return "", errors.New("it names no directory; write file:///absolute/path")
	}
	if err := printable(u.Path); err != nil {
		return "", err
	}
	return u.Path, nil
}

// keyPrefix makes what stands before each key of an URL's path: "" or "a/b/".
func keyPrefix(path string) (string, error) {
	path = strings.Trim(path, "/")
	if path == "" {
		return "", nil
	}
	if len(path) > maxPrefixBytes {
		return "", fmt.Errorf("the prefix is %d bytes long; at most %d leave room for the keys", len(path), maxPrefixBytes)
	}
	for s := range strings.SplitSeq(path, "/") {
		if s == "" || s == "." || s == ".." {
			return "", fmt.Errorf("the prefix %.80q has an empty element, or one that is . or ..; not every service keeps these apart", path)
		}
	}
	if err := printable(path); err != nil {
		return "", err
	}
	return path + "/", nil
}

func printable(path string) error {
	if !utf8.ValidString(path) {
		return fmt.Errorf("the path %.80q is not UTF-8", path)
	}
	if strings.ContainsFunc(path, func(r rune) bool { return unicode.IsControl(r) || r == '\\' }) {
		return fmt.Errorf("the path %.80q holds a backslash or a control character", path)
	}
	return nil
}

// checkKey refuses what is no key of the format, so that no key can leave its place.
func checkKey(key string) error {
	if key == "" || len(key) > maxKeyBytes {
		return fmt.Errorf("a key of %d bytes: 1 to %d are allowed", len(key), maxKeyBytes)
	}
	for s := range strings.SplitSeq(key, "/") {
		switch {
		case s == "" || s == "." || s == "..":
			return fmt.Errorf("key %.80q has an empty, . or .. segment", key)
		case len(s) > maxSegmentBytes:
			return fmt.Errorf("key %.80q has a segment of %d bytes: %d are allowed", key, len(s), maxSegmentBytes)
		}
	}
	for i := range len(key) {
		if !keyByte(key[i]) {
			return fmt.Errorf("key %.80q holds %q: allowed are letters, digits, slashes and any of %s", key, key[i], ". _ = % -")
		}
	}
	return nil
}

func keyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._=%-/", c) >= 0
}
