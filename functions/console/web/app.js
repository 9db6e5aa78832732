// The first page: says where it is, as the server tells it.

const main = document.querySelector("#app");
const answer = await fetch("/api/session/config");
const config = await answer.json();
const line = document.createElement("p");
line.textContent = answer.ok ? `Voxanne, ${config.environment}. Sign in: ${config.sign_in}.` : config.detail;
main.replaceChildren(line);
