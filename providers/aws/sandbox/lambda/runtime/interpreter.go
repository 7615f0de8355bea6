package runtime

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// command is what to execute for the function's runtime.
func (e *environment) command() (string, []string, error) {
	f, dir := e.function, e.host.opts.Dir
	switch {
	case strings.HasPrefix(f.Runtime, "provided"):
		for _, root := range append([]string{f.TaskRoot}, f.Layers...) {
			path := filepath.Join(root, "bootstrap")
			if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o111 != 0 {
				return path, nil, nil
			}
		}
		return "", nil, &startError{"Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"}
	case strings.HasPrefix(f.Runtime, "python3"):
		path, err := e.host.python()
		if err != nil {
			return "", nil, &startError{"Runtime.InterpreterMissing", fmt.Sprintf("runtime %s needs the interpreter python3 on this machine: %v", f.Runtime, err)}
		}
		return path, []string{"-u", filepath.Join(dir, "bootstrap.py")}, nil
	case strings.HasPrefix(f.Runtime, "nodejs"):
		path, err := e.host.node()
		if err != nil {
			return "", nil, &startError{"Runtime.InterpreterMissing", fmt.Sprintf("runtime %s needs the interpreter node on this machine: %v", f.Runtime, err)}
		}
		return path, []string{filepath.Join(dir, "bootstrap.mjs")}, nil
	}
	return "", nil, &startError{"Runtime.InterpreterMissing", fmt.Sprintf("the sandbox has no interpreter for runtime %q; it runs provided, provided.*, python3.* and nodejs*", f.Runtime)}
}

// variables is the whole environment of the process: nothing of this process's
// own but the search path gets in.
func (e *environment) variables(api string) []string {
	f := e.function
	all := map[string]string{"PATH": os.Getenv("PATH"), "LANG": "en_US.UTF-8", "TZ": ":UTC", "HOME": e.scratch, "TMPDIR": e.scratch}
	maps.Copy(all, f.Variables)
	maps.Copy(all, map[string]string{
		"AWS_LAMBDA_RUNTIME_API": api, "LAMBDA_TASK_ROOT": f.TaskRoot, "LAMBDA_RUNTIME_DIR": e.host.opts.Dir,
		"_HANDLER": f.Handler, "AWS_LAMBDA_FUNCTION_NAME": f.Name, "AWS_LAMBDA_FUNCTION_VERSION": f.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.Memory), "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_EXECUTION_ENV":          "AWS_Lambda_" + f.Runtime,
		"AWS_LAMBDA_LOG_STREAM_NAME": fmt.Sprintf("%s/[%s]%08x", time.Now().UTC().Format("2006/01/02"), f.Version, e.serial),
	})
	if len(f.Layers) > 0 {
		all["PATH"] = joined(f.Layers, "bin", all["PATH"])
		all["PYTHONPATH"] = joined(f.Layers, "python", all["PYTHONPATH"])
		all["NODE_PATH"] = joined(f.Layers, "nodejs/node_modules", all["NODE_PATH"])
		all["LD_LIBRARY_PATH"] = joined(f.Layers, "lib", all["LD_LIBRARY_PATH"])
	}
	out := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, name+"="+all[name])
	}
	return out
}

func joined(roots []string, sub, rest string) string {
	var parts []string
	for _, root := range roots {
		parts = append(parts, filepath.Join(root, sub))
	}
	if rest != "" {
		parts = append(parts, rest)
	}
	return strings.Join(parts, string(os.PathListSeparator))
}

// startError is why a function cannot be started, as its caller sees it.
type startError struct{ kind, text string }

func (e *startError) Error() string { return e.kind + ": " + e.text }

func reason(err error) string {
	var e *startError
	if errors.As(err, &e) {
		return e.kind + "\x00" + e.text
	}
	return "Runtime.InvalidEntrypoint\x00" + err.Error()
}

func findNode() (string, error) { return exec.LookPath("node") }

// findPython asks python3 for its real path, since what is on the PATH may be a
// slow wrapper script.
func findPython() (string, error) {
	path, err := exec.LookPath("python3")
	if err != nil {
		return "", err
	}
	out, err := exec.Command(path, "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return "", fmt.Errorf("run %s: %w", path, err)
	}
	if real := strings.TrimSpace(string(out)); real != "" {
		return real, nil
	}
	return path, nil
}
