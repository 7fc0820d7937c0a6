// Package conformance runs the conformance suite of the Gateway API as it was released.
package conformance

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	suite "sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
)

// TestConformance runs the suite. Its features are those that the GatewayClass publishes, since no flag names any.
func TestConformance(t *testing.T) {
	suite.RunConformance(t)
}

// TestList writes the names of the suite's tests to the file that LIST names: true for those of gateways, false for
// those that need a feature of meshes. It does nothing without LIST.
func TestList(t *testing.T) {
	path := os.Getenv("LIST")
	if path == "" {
		t.Skip("LIST names no file")
	}
	gateways := map[string]bool{}
	for _, test := range tests.ConformanceTests {
		gateways[test.ShortName] = true
		for _, feature := range test.Features {
			if strings.HasPrefix(string(feature), "Mesh") {
				gateways[test.ShortName] = false
			}
		}
	}
	data, err := json.Marshal(gateways)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
