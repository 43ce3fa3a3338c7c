package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/strongroom-dev/strongroom/service/notify"
)

func ExampleNew() {
	arrived := make(chan string)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- r.Method + " " + r.URL.Path
	}))
	defer server.Close()

	n, err := notify.New([]string{server.URL + "/ping/5f0b", "webhook+" + server.URL + "/alarm"}, notify.Options{Archive: "orders"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go n.Run(ctx)

	n.Update(notify.Event{State: notify.OK, At: time.Now()}) // as it should be: not sent
	n.Succeeded()
	fmt.Println(<-arrived)
	n.Update(notify.Event{State: notify.Failing, At: time.Now(), Detail: "the bucket is away"})
	fmt.Println(<-arrived)
	// Output:
	// GET /ping/5f0b
	// POST /alarm
}
