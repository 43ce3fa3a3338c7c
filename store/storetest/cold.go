package storetest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// ColdS3 is a service that answers as the documentation of Amazon S3 states of objects that must be thawed: those of the
// classes GLACIER and DEEP_ARCHIVE, and those that an intelligent tier has archived. No server that tests can run has
// such classes. It knows what archives need, and no parts of uploads. Its bucket is named bucket, and has no versions.
//
// A thaw ends when the object was examined a number of times (HEAD), so that no test has to wait for a clock. The fields
// must be set before the first request.
type ColdS3 struct {
	Endpoint string
	Heads    int // after how many HEADs a thaw is done; 0: at once

	mu       sync.Mutex
	objects  map[string]*coldObject
	requests []string       // method and key, in order; RESTORE for a request to thaw
	thaws    map[string]int // accepted requests to thaw, by key
	refusals int            // expedited requests to refuse
	bodies   []string       // of the requests to thaw
}

type coldObject struct {
	content  []byte
	class    string // empty: STANDARD
	tier     string // of the archive that an intelligent tier has moved it to; "" if none
	modified time.Time
	thawing  bool
	left     int       // HEADs until the thaw is done
	until    time.Time // the end of the copy; zero: there is none
}

// NewColdS3 starts the service.
func NewColdS3(t testing.TB) *ColdS3 {
	c := &ColdS3{Heads: 1, objects: map[string]*coldObject{}, thaws: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(server.Close)
	c.Endpoint = server.URL
	return c
}

// URL returns the URL of an archive. more are further parameters, such as storage_class=GLACIER.
func (c *ColdS3) URL(prefix string, more ...string) string {
	return "s3://bucket/" + prefix + "?" + strings.Join(append([]string{
		"region=us-east-1", "use_path_style=true",
		"versions=false", "endpoint=" + url.QueryEscape(c.Endpoint),
	}, more...), "&")
}

// Class returns the storage class of an object, and whether it exists.
func (c *ColdS3) Class(key string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.objects[key]
	if o == nil {
		return "", false
	}
	return o.className(), true
}

// Keys returns the keys of all objects below a prefix, in order.
func (c *ColdS3) Keys(prefix string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keys(prefix)
}

func (c *ColdS3) keys(prefix string) []string {
	var all []string
	for key := range c.objects {
		if strings.HasPrefix(key, prefix) {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return all
}

// Move changes the storage class of objects, as a rule of the bucket does. A class ARCHIVE_ACCESS or DEEP_ARCHIVE_ACCESS
// is a part of an intelligent tier.
func (c *ColdS3) Move(class string, keys ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		o := c.objects[key]
		o.class, o.tier, o.thawing, o.until = class, "", false, time.Time{}
		if strings.HasSuffix(class, "_ACCESS") {
			o.class, o.tier = "INTELLIGENT_TIERING", class
		}
	}
}

// Expire ends the temporary copies of thawed objects.
func (c *ColdS3) Expire(keys ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		c.objects[key].until = time.Time{}
	}
}

// RefuseExpedited makes the service refuse the next expedited requests, for lack of capacity.
func (c *ColdS3) RefuseExpedited(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals = n
}

// Thaws returns how many requests to thaw were accepted, by key, and the bodies of all of them.
func (c *ColdS3) Thaws() (accepted map[string]int, bodies []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	accepted = map[string]int{}
	for key, n := range c.thaws {
		accepted[key] = n
	}
	return accepted, slices.Clone(c.bodies)
}

// Requests returns the requests since the last call, as method and key.
func (c *ColdS3) Requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.requests
	c.requests = nil
	return all
}

func (o *coldObject) className() string {
	if o.class == "" {
		return "STANDARD"
	}
	return o.class
}

// isFrozen reports whether the object's content must be thawed before it can be read.
func (o *coldObject) isFrozen() bool { return o.isArchived() && o.until.IsZero() }

func (o *coldObject) isArchived() bool {
	return o.class == "GLACIER" || o.class == "DEEP_ARCHIVE" || o.tier != ""
}

func (c *ColdS3) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	q := r.URL.Query()
	key, isObject := strings.CutPrefix(r.URL.Path, "/bucket/")
	isObject = isObject && key != ""
	method := r.Method
	if q.Has("restore") {
		method = "RESTORE"
	}
	c.requests = append(c.requests, method+" "+key)
	switch {
	case !isObject && q.Has("uploads"):
		answerXML(w, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>`)
	case !isObject && r.Method == http.MethodGet:
		c.list(w, q)
	case !isObject && q.Has("delete"):
		c.delete(w, body)
	case !isObject:
		w.WriteHeader(http.StatusOK) // HeadBucket
	case method == "RESTORE":
		c.restore(w, key, body)
	case r.Method == http.MethodPut:
		c.put(w, r, key, body)
	default:
		c.read(w, r, key)
	}
}

func answerXML(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/xml")
	io.WriteString(w, xml.Header+body)
}

// refuse answers with an error in the format of S3.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, xml.Header+"<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

func crcOf(b []byte) string {
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

func (c *ColdS3) put(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	switch sent := r.Header.Get("X-Amz-Checksum-Crc32c"); {
	case c.objects[key] != nil && r.Header.Get("If-None-Match") == "*":
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
		return
	case sent != "" && sent != crcOf(body):
		refuse(w, http.StatusBadRequest, "BadDigest", "The CRC32C you specified did not match")
		return
	case sent != "":
		w.Header().Set("X-Amz-Checksum-Crc32c", sent)
	}
	c.objects[key] = &coldObject{content: body, class: r.Header.Get("X-Amz-Storage-Class"), modified: time.Now().UTC()}
	w.Header().Set("ETag", c.objects[key].etag())
}

func (o *coldObject) etag() string {
	return strconv.Quote(crcOf(o.content) + strconv.Itoa(len(o.content)))
}

// read answers a HEAD, which works for frozen objects too, and a GET, which does not.
func (c *ColdS3) read(w http.ResponseWriter, r *http.Request, key string) {
	o := c.objects[key]
	if o == nil {
		refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return
	}
	if r.Method == http.MethodHead {
		if o.thawing {
			if o.left--; o.left < 0 {
				o.finish()
			}
		}
	} else if o.isFrozen() {
		refuse(w, http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class")
		return
	}
	h := w.Header()
	h.Set("Last-Modified", o.modified.Format(http.TimeFormat))
	h.Set("ETag", o.etag())
	h.Set("X-Amz-Checksum-Crc32c", crcOf(o.content))
	h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	if o.class != "" && o.class != "STANDARD" {
		h.Set("X-Amz-Storage-Class", o.class)
	}
	if o.tier != "" {
		h.Set("X-Amz-Archive-Status", o.tier)
	}
	switch {
	case o.thawing:
		h.Set("X-Amz-Restore", `ongoing-request="true"`)
	case !o.until.IsZero():
		h.Set("X-Amz-Restore", fmt.Sprintf(`ongoing-request="false", expiry-date="%s"`, o.until.Format(http.TimeFormat)))
	}
	if r.Method == http.MethodGet {
		h.Del("X-Amz-Checksum-Crc32c")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(o.content)))
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(o.content)))
}

// finish ends a thaw: with a copy, or, of an object in an intelligent tier, with a move out of the archive.
func (o *coldObject) finish() {
	o.thawing = false
	if o.tier != "" {
		o.tier = ""
		return
	}
	o.until = time.Now().UTC().AddDate(0, 0, 4).Truncate(24 * time.Hour)
}

// restore answers RestoreObject.
func (c *ColdS3) restore(w http.ResponseWriter, key string, body []byte) {
	var in struct {
		Days                 *int
		GlacierJobParameters struct{ Tier string }
	}
	o := c.objects[key]
	c.bodies = append(c.bodies, string(body))
	switch err := xml.Unmarshal(body, &in); {
	case o == nil:
		refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	case err != nil, (in.Days == nil) != (o.tier != ""):
		refuse(w, http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed")
	case !o.isArchived():
		refuse(w, http.StatusForbidden, "InvalidObjectState", "Restore is not allowed for the object's current storage class")
	case o.thawing:
		refuse(w, http.StatusConflict, "RestoreAlreadyInProgress", "Object restore is already in progress")
	case in.GlacierJobParameters.Tier == "Expedited" && (o.class == "DEEP_ARCHIVE" || o.tier == "DEEP_ARCHIVE_ACCESS"):
		refuse(w, http.StatusBadRequest, "InvalidArgument", "Expedited retrievals are not available for this class")
	case in.GlacierJobParameters.Tier == "Expedited" && c.refusals > 0:
		c.refusals--
		refuse(w, http.StatusServiceUnavailable, "GlacierExpeditedRetrievalNotAvailable",
			"Glacier expedited retrievals are currently not available, please try again later")
	case !o.until.IsZero():
		c.thaws[key]++
		o.until = time.Now().UTC().AddDate(0, 0, *in.Days+1).Truncate(24 * time.Hour)
		w.WriteHeader(http.StatusOK)
	default:
		c.thaws[key]++
		o.thawing, o.left = true, c.Heads
		if c.Heads == 0 {
			o.finish()
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

func (c *ColdS3) delete(w http.ResponseWriter, body []byte) {
	var in struct {
		Object []struct{ Key string }
	}
	if err := xml.Unmarshal(body, &in); err != nil {
		refuse(w, http.StatusBadRequest, "MalformedXML", err.Error())
		return
	}
	var deleted strings.Builder
	for _, o := range in.Object {
		delete(c.objects, o.Key)
		deleted.WriteString("<Deleted><Key>")
		_ = xml.EscapeText(&deleted, []byte(o.Key)) // a Builder accepts all
		deleted.WriteString("</Key></Deleted>")
	}
	answerXML(w, "<DeleteResult>"+deleted.String()+"</DeleteResult>")
}

// list answers ListObjectsV2 with one page of everything. It shows no thaw.
func (c *ColdS3) list(w http.ResponseWriter, q url.Values) {
	var b strings.Builder
	rolled := map[string]bool{}
	for _, key := range c.keys(q.Get("prefix")) {
		if key <= q.Get("start-after") {
			continue
		}
		rest := strings.TrimPrefix(key, q.Get("prefix"))
		if d := q.Get("delimiter"); d != "" && strings.Contains(rest, d) {
			dir, _, _ := strings.Cut(rest, d)
			if prefix := q.Get("prefix") + dir + d; !rolled[prefix] {
				rolled[prefix] = true
				fmt.Fprintf(&b, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", url.QueryEscape(prefix))
			}
			continue
		}
		o := c.objects[key]
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><LastModified>%s</LastModified><ETag>%s</ETag><Size>%d</Size><StorageClass>%s</StorageClass></Contents>",
			url.QueryEscape(key), o.modified.Format(time.RFC3339), o.etag(), len(o.content), o.className())
	}
	answerXML(w, "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"+b.String()+"</ListBucketResult>")
}
