// Decodes Kubernetes manifests strictly: a kind, field or type that its API does not know is told, with exit code 1.
package main

import (
	"fmt"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

func kindOf(document []byte) (any, error) {
	var named struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(document, &named); err != nil {
		return nil, err
	}
	switch named.APIVersion + " " + named.Kind {
	case "apps/v1 Deployment":
		return &appsv1.Deployment{}, nil
	case "v1 Service":
		return &corev1.Service{}, nil
	case "policy/v1 PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}, nil
	}
	return nil, fmt.Errorf("no such kind: %s %s", named.APIVersion, named.Kind)
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	failed := false
	for number, document := range strings.Split(string(text), "\n---\n") {
		value, err := kindOf([]byte(document))
		if err == nil {
			err = yaml.UnmarshalStrict([]byte(document), value)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "document %d: %v\n", number+1, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
