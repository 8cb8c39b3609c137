// What the test asks of the cluster and does to it, by kubectl and the environment's own kubeconfig.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

export class Cluster {
  constructor(kubectl, namespace) {
    this.kubectl = kubectl;
    this.namespace = namespace;
  }

  async #ask(...args) {
    const { stdout } = await run(this.kubectl, ["--namespace", this.namespace, ...args]);
    return stdout.trim();
  }

  /** The names of the pods with this value of `app.kubernetes.io/name`. */
  async pods(app) {
    const names = await this.#ask(
      "get", "pods", "--selector", `app.kubernetes.io/name=${app}`,
      "--output", "jsonpath={.items[*].metadata.name}",
    );
    return names.split(" ");
  }

  async replicas(deployment) {
    return Number(await this.#ask("get", "deployment", deployment, "--output", "jsonpath={.spec.replicas}"));
  }

  async scale(deployment, replicas) {
    await this.#ask("scale", "deployment", deployment, `--replicas=${replicas}`);
  }

  async ready(deployment) {
    await this.#ask("rollout", "status", `deployment/${deployment}`, "--timeout=120s");
  }
}
