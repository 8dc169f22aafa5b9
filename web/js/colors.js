/** Colours of the pack's own link types, in both renderers and under every palette. */
import { app } from "../../../scripts/app.js";

const COLORS = {
  HRV: "#4fb3bf", HRV_CONCEPTS: "#c792ea", HRV_PROMPTS: "#82b1ff", HRV_SCORER: "#ffb74d", HRV_TOKEN_MAPS: "#aed581",
};

/** A palette that is loaded sets types it does not know to no colour. */
function paint() {
  Object.assign(window.LGraphCanvas?.link_type_colors ?? {}, COLORS);
  Object.assign(app.canvas?.default_connection_color_byType ?? {}, COLORS);
  app.canvas?.setDirty?.(true, true);
}

app.registerExtension({
  name: "comfyui-hrv.colors",
  setup() {
    const rules = Object.entries(COLORS).map(([type, color]) => `--color-datatype-${type}: ${color};`);
    document.head.appendChild(document.createElement("style")).textContent = `:root { ${rules.join(" ")} }`;
    app.ui?.settings?.addEventListener?.("Comfy.ColorPalette.change", () => setTimeout(paint, 100));
    paint();
    setTimeout(paint, 1000);
  },
});
