package web

import (
	"context"
	"net/http"

	"mooring.dev/reconciler/access"
)

// destroys are the ways to what is left of an environment that was taken out of
// the pipeline.
func (s *server) destroys(d Destroyer) {
	const path = " /api/v1/environments/{name}/destroy"
	s.api("GET"+path, purpose{does: "What would be removed of an environment that is no longer in mooring.yaml, and what kept; for admins.", answer: Destruction{}, query: []string{"data"}}, func(r *http.Request, by access.Person) (any, error) {
		ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
		defer cancel()
		return d.Destruction(ctx, r.PathValue("name"), r.URL.Query().Get("data") == "true", by)
	})
	s.api("POST"+path, purpose{does: "Removes what is left of an environment that is no longer in mooring.yaml; for admins.", body: DestroyRequest{}, answer: Accepted{}}, act(func(ctx context.Context, name string, by access.Person, r DestroyRequest) (any, error) {
		r.Environment, r.By = name, by
		return accepted(d.Destroy(ctx, r))
	}))
}
