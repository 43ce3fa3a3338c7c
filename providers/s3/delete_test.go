package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// conditional answers like a service that compares ETags. Every object has the ETag "now".
func conditional(t *testing.T, sent *[]string) http.HandlerFunc {
	object := regexp.MustCompile(`<Object>.*?</Object>`)
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("ETag", `"now"`)
			w.Header().Set("Last-Modified", "Mon, 02 Nov 2026 10:15:30 GMT")
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, "<DeleteResult>")
		for _, o := range object.FindAllString(string(b), -1) {
			*sent = append(*sent, strings.ReplaceAll(o, "&#34;", `"`))
			key := regexp.MustCompile("<Key>(.*)</Key>").FindStringSubmatch(o)[1]
			if !strings.Contains(o, "then") {
				fmt.Fprintf(w, "<Deleted><Key>%s</Key></Deleted>", key)
			} else {
				fmt.Fprintf(w, "<Error><Key>%s</Key><Code>PreconditionFailed</Code><Message>it is so</Message></Error>", key)
			}
		}
		fmt.Fprint(w, "</DeleteResult>")
	}
}

// Two repairs may delete the same version. VersityGW calls the id of a version that is gone invalid. That is no error, if
// a listing shows that it is gone: an id that a service does not take for another reason must not count as deleted.
func TestS3VersionThatIsGone(t *testing.T) {
	for _, gone := range []bool{true, false} {
		listed := 0
		_, b := newFakeAt(t, "&versions=true", cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Query().Has("versions"):
				fmt.Fprint(w, "<ListVersionsResult>")
				if listed++; listed == 1 || !gone {
					fmt.Fprint(w, "<Version><Key>data/a</Key><VersionId>1</VersionId></Version>")
				}
				fmt.Fprint(w, "</ListVersionsResult>")
			default:
				fmt.Fprint(w, "<DeleteResult><Error><Key>data/a</Key><VersionId>1</VersionId><Code>InvalidArgument</Code>"+
					"<Message>Invalid version id specified</Message></Error></DeleteResult>")
			}
		})
		if err := b.Delete(t.Context(), []store.Object{{Key: "data/a", Version: "1"}}); (err == nil) != gone {
			t.Errorf("gone %v: %v", gone, err)
		}
	}
}

// Another program deletes the same thousand versions. One listing shows that all are gone: a listing for each would
// take as many requests as there are objects, and no budget would end them.
func TestS3VersionsThatAreGone(t *testing.T) {
	const objects = 1000
	var deleted bool
	listings := 0
	_, b := newFakeAt(t, "&versions=true", cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		isListing := r.URL.Query().Has("versions")
		root := map[bool]string{true: "ListVersionsResult", false: "DeleteResult"}[isListing]
		fmt.Fprintf(w, "<%s>", root)
		for i := range objects {
			switch {
			case !isListing:
				fmt.Fprintf(w, "<Error><Key>data/%04d</Key><VersionId>1</VersionId><Code>InvalidArgument</Code></Error>", i)
			case !deleted || i == 7: // which is refused for another reason
				fmt.Fprintf(w, "<Version><Key>data/%04d</Key><VersionId>1</VersionId></Version>", i)
			}
		}
		fmt.Fprintf(w, "</%s>", root)
		if isListing {
			listings++
		} else {
			deleted = true
		}
	})
	all := make([]store.Object, objects)
	for i := range all {
		all[i] = store.Object{Key: fmt.Sprintf("data/%04d", i), Version: "1"}
	}
	err := b.Delete(t.Context(), all)
	if err == nil || !strings.Contains(err.Error(), "data/0007") || strings.Count(err.Error(), "data/") != 1 {
		t.Errorf("%.300v", err)
	}
	if listings > 3 {
		t.Errorf("%d listings", listings)
	}
}

// Each object of a batch has a condition of its own, and what does not meet it is reported by name.
func TestS3DeletesOnConditions(t *testing.T) {
	var sent []string
	f, b := newFake(t, cloud.Options{}, conditional(t, &sent))
	err := b.Delete(t.Context(), []store.Object{{Key: "a", Version: `"now"`}, {Key: "b", Version: `"then"`}, {Key: "c"}})
	if !errors.Is(err, store.ErrChanged) || !strings.Contains(err.Error(), "deleting b ") || strings.Contains(err.Error(), "deleting a ") {
		t.Errorf("%v", err)
	}
	want := []string{
		`<Object><ETag>"now"</ETag><Key>a</Key></Object>`, `<Object><ETag>"then"</ETag><Key>b</Key></Object>`,
		`<Object><Key>c</Key></Object>`,
	}
	if !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	// A single object is compared before, too: some services ignore the condition.
	before := len(f.seen())
	if err := b.Delete(t.Context(), []store.Object{{Key: "a", Version: `"then"`}}); !errors.Is(err, store.ErrChanged) {
		t.Errorf("%v", err)
	}
	if got := f.seen()[before:]; !slices.Equal(got, []string{"HEAD a"}) {
		t.Errorf("requests %q", got)
	}
	if err := b.Delete(t.Context(), []store.Object{{Key: "a", Version: `"now"`}}); err != nil {
		t.Error(err)
	}
}

// With conditional_delete=false no condition is sent: a service may refuse what it does not support.
func TestS3DeletesWithoutConditions(t *testing.T) {
	var sent []string
	_, b := newFakeAt(t, "&versions=false&conditional_delete=false", cloud.Options{}, conditional(t, &sent))
	if err := b.Delete(t.Context(), []store.Object{{Key: "a", Version: `"now"`}, {Key: "b", Version: `"then"`}}); err != nil {
		t.Error(err)
	}
	if !slices.Equal(sent, []string{`<Object><Key>a</Key></Object>`, `<Object><Key>b</Key></Object>`}) {
		t.Errorf("sent %q", sent)
	}
}

// An object that was put before the bucket kept versions has the id "null", as its replacement may have. So its ETag
// counts as well.
func TestS3NullVersion(t *testing.T) {
	t.Parallel()
	server := storetest.NewS3(t)
	before := open(t, server.URL+"&versions=true", cloud.Options{})
	if _, err := storetest.PutBytes(t, before, "a", []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	then, err := before.Stat(t.Context(), "a")
	if err != nil || !strings.HasPrefix(then.Version, "null ") {
		t.Fatalf("%+v, %v", then, err)
	}
	remove := func(o store.Object) error { return before.Delete(context.Background(), []store.Object{o}) }
	if err := remove(then); err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.PutBytes(t, before, "a", []byte("correct")); err != nil {
		t.Fatal(err)
	}
	if err := remove(then); !errors.Is(err, store.ErrChanged) {
		t.Errorf("a late delete: %v", err)
	}
	if got := readAll(t, before, "a", 0, -1); got != "correct" {
		t.Errorf("%q", got)
	}
}
