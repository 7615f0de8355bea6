package runtime

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	prefix        = "/2018-06-01/runtime"
	responseLimit = 6291556
)

// api is the Runtime API, version 2018-06-01, for one process.
func (e *environment) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"/invocation/next", e.next)
	mux.HandleFunc("POST "+prefix+"/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) { e.finish(w, r, false) })
	mux.HandleFunc("POST "+prefix+"/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) { e.finish(w, r, true) })
	mux.HandleFunc("POST "+prefix+"/init/error", e.failInit)
	return mux
}

// next waits for an event, however long, and hands it out.
func (e *environment) next(w http.ResponseWriter, r *http.Request) {
	e.readyOnce.Do(func() { close(e.ready) })
	select {
	case p := <-e.work:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", p.ID)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(e.function.Timeout).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", p.ARN)
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
		if p.ClientContext != "" {
			h.Set("Lambda-Runtime-Client-Context", p.ClientContext)
		}
		_, _ = w.Write(p.Payload) // a process that is gone shows as exited
	case <-e.ended:
		w.WriteHeader(http.StatusGone)
	case <-r.Context().Done():
	}
}

// finish takes the answer to the current event. Another id is refused.
func (e *environment) finish(w http.ResponseWriter, r *http.Request, failed bool) {
	payload, err := io.ReadAll(io.LimitReader(r.Body, responseLimit+1))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	p := e.current
	if p == nil || p.ID != r.PathValue("id") {
		e.mu.Unlock()
		writeStatus(w, http.StatusBadRequest, `{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`)
		return
	}
	e.current = nil
	e.mu.Unlock()
	if len(payload) > responseLimit {
		p.answer <- answer{payload: failure("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size ("+strconv.Itoa(responseLimit)+" bytes)."), failed: true}
		writeStatus(w, http.StatusRequestEntityTooLarge, `{"errorType":"RequestEntityTooLarge","errorMessage":"Exceeded maximum allowed payload size"}`)
		return
	}
	p.answer <- answer{payload: payload, failed: failed}
	writeStatus(w, http.StatusAccepted, `{"status":"OK"}`)
}

func (e *environment) failInit(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(io.LimitReader(r.Body, responseLimit))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case e.initError <- payload:
	default: // it said so before
	}
	writeStatus(w, http.StatusAccepted, `{"status":"OK"}`)
}

func writeStatus(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a process that is gone shows as exited
}
